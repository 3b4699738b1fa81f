// Contexts: which one is current, what belongs to whom, and what a machine without devices answers.
#include <thread>

#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

using ContextTest = RuntimeTest;

TEST_F(ContextTest, WithoutACurrentContextNothingIsDone) {
    cudaError_t error = cudaSuccess;
    std::string text;
    std::thread([&] {
        void* memory = nullptr;
        error = cudaMalloc(&memory, 16);
        text = cudaGetErrorString(error);
    }).join();
    EXPECT_EQ(error, cudaErrorDeviceUninitialized);
    EXPECT_NE(text.find("no context is current"), std::string::npos) << text;
}

TEST_F(ContextTest, TheStackIsTheThreads) {
    CUcontext second = nullptr;
    CUcontext current = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&second, 0, 1));
    CUdevice device = -1;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxGetDevice(&device));
    EXPECT_EQ(device, 1);
    std::thread([&] {
        cuCtxGetCurrent(&current);
        EXPECT_EQ(current, nullptr);
        EXPECT_EQ(CUDA_ERROR_INVALID_CONTEXT, cuCtxPopCurrent(&current));
    }).join();
    ASSERT_EQ(CUDA_SUCCESS, cuCtxPopCurrent(&current));
    EXPECT_EQ(current, second);
    ASSERT_EQ(CUDA_SUCCESS, cuCtxGetCurrent(&current));
    EXPECT_EQ(current, context_);
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(second));
    EXPECT_EQ(CUDA_ERROR_INVALID_CONTEXT, cuCtxPushCurrent(second));
}

TEST_F(ContextTest, APrimaryContextEndsWithItsLastRelease) {
    CUcontext first = nullptr;
    CUcontext again = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&first, 1));
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&again, 1));
    EXPECT_EQ(first, again);
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRelease(1));
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&again, 1));
    EXPECT_EQ(first, again);
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRelease(1));
    ASSERT_EQ(CUDA_SUCCESS, cuDevicePrimaryCtxRelease(1));
    EXPECT_EQ(CUDA_ERROR_INVALID_CONTEXT, cuCtxPushCurrent(first));
}

TEST_F(ContextTest, AStreamKnowsItsContext) {
    CUcontext found = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuStreamGetCtx(stream_, &found));
    EXPECT_EQ(found, context_);
    CUDA_OK(cudaStreamDestroy(stream_));
    EXPECT_EQ(CUDA_ERROR_INVALID_HANDLE, cuStreamGetCtx(stream_, &found));
}

TEST_F(ContextTest, AttributesAreTheArchitectures) {
    int value = 0;
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("architecture=86,multiprocessors=3"));
    CUDA_OK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 1));
    EXPECT_EQ(value, 8);
    CUDA_OK(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMinor, 1));
    EXPECT_EQ(value, 6);
    CUDA_OK(cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 1));
    EXPECT_EQ(value, 3);
    CUDA_OK(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 1));
    EXPECT_EQ(value, 99 * 1024);
    CUDA_FAILS(cudaErrorInvalidDevice, cudaDeviceGetAttribute(&value, cudaDevAttrMultiProcessorCount, 2));
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("multiprocessors=4"));
}

TEST_F(ContextTest, NoDriverNoDeviceOldDriver) {
    int count = -1;
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("driver=0"));
    CUDA_FAILS(cudaErrorInsufficientDriver, cudaGetDeviceCount(&count));
    EXPECT_EQ(count, 0);
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("driver=11080"));
    CUDA_FAILS(cudaErrorInsufficientDriver, cudaGetDeviceCount(&count));
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("driver=12000,devices=0"));  // older than 12.4, but of its family
    CUDA_FAILS(cudaErrorNoDevice, cudaGetDeviceCount(&count));
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("driver=12040,devices=2"));
    CUDA_OK(cudaGetDeviceCount(&count));
    EXPECT_EQ(count, 2);
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_DRIVER_TOO_OLD));
    CUDA_FAILS(cudaErrorInsufficientDriver, cudaGetDeviceCount(&count));
    CUDA_OK(cudaGetDeviceCount(&count));
}

}  // namespace
}  // namespace lk::test
