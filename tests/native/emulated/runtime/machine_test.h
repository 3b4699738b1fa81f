// What tests of the emulated runtime share: a context, streams, and memory, with every call checked.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "platform/cuda_emulated/cuda_api.h"
#include "platform/cuda_emulated/lorakernels_emulated.h"

namespace lk::test {

#define CUDA_OK(call) ASSERT_EQ(cudaSuccess, (call)) << #call << ": " << cudaGetErrorString(cudaPeekAtLastError())
#define CUDA_FAILS(error, call) EXPECT_EQ(error, (call)) << #call

// A context of its own, current, on a machine with the default options.
class RuntimeTest : public ::testing::Test {
  protected:
    void SetUp() override {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text("devices=2,seed=1,driver=12040,architecture=90,memory=1073741824"));
        ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&context_, 0, 0));
        CUDA_OK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    }

    void TearDown() override {
        cuCtxDestroy(context_);  // and with it everything made in it
        lk_emulated_reset();
        lk_emulated_configure_text("devices=1,seed=1");
        cudaGetLastError();
    }

    static void seed(int value) {
        ASSERT_EQ(LK_OK, lk_emulated_configure_text(("seed=" + std::to_string(value)).c_str()));
    }

    // Device memory that goes with the context.
    int* device_ints(int count) {
        int* memory = nullptr;
        EXPECT_EQ(cudaSuccess, cudaMalloc(&memory, size_t(count) * sizeof(int)));
        return memory;
    }
    int* pinned_ints(int count) {
        int* memory = nullptr;
        EXPECT_EQ(cudaSuccess, cudaMallocHost(&memory, size_t(count) * sizeof(int)));
        return memory;
    }
    // Waits for everything, then reads.
    std::vector<int> read(const int* memory, int count) {
        std::vector<int> values(static_cast<size_t>(count));
        EXPECT_EQ(cudaSuccess, cudaDeviceSynchronize());
        EXPECT_EQ(cudaSuccess,
                  cudaMemcpyAsync(values.data(), memory, values.size() * sizeof(int), cudaMemcpyDeviceToHost, stream_));
        return values;
    }

    CUcontext context_ = nullptr;
    cudaStream_t stream_ = nullptr;
};

}  // namespace lk::test
