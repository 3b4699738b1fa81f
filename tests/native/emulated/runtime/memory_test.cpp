// Allocations, and copies that must not be.
#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

class MemoryTest : public RuntimeTest {
  protected:
    // The context is lost with this text.
    void expect_lost(cudaError_t error, const std::string& text) {
        EXPECT_EQ(error, cudaErrorLaunchFailure);
        EXPECT_NE(std::string(cudaGetErrorString(error)).find(text), std::string::npos) << cudaGetErrorString(error);
        int* memory = nullptr;
        CUDA_FAILS(cudaErrorLaunchFailure, cudaMalloc(&memory, 4));
        CUDA_FAILS(cudaErrorLaunchFailure, cudaGetLastError());
        CUDA_FAILS(cudaErrorLaunchFailure, cudaGetLastError());  // it stays
    }
};

TEST_F(MemoryTest, CapacityIsTheDevices) {
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("memory=1048576"));
    void* memory = nullptr;
    void* more = nullptr;
    CUDA_OK(cudaMalloc(&memory, 1 << 20));
    CUDA_FAILS(cudaErrorMemoryAllocation, cudaMalloc(&more, 1));
    EXPECT_EQ(more, nullptr);
    CUDA_FAILS(cudaErrorMemoryAllocation, cudaGetLastError());
    CUDA_FAILS(cudaSuccess, cudaGetLastError());
    CUDA_OK(cudaFree(memory));
    CUDA_OK(cudaMalloc(&more, 1));
    size_t free = 0;
    size_t total = 0;
    CUDA_OK(cudaMemGetInfo(&free, &total));
    EXPECT_EQ(total - free, 1u);
}

TEST_F(MemoryTest, InjectedOutOfMemoryIsMetOnce) {
    void* memory = nullptr;
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    CUDA_FAILS(cudaErrorMemoryAllocation, cudaMalloc(&memory, 16));
    CUDA_OK(cudaMalloc(&memory, 16));
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    CUDA_FAILS(cudaErrorMemoryAllocation, cudaMallocHost(&memory, 16));
}

TEST_F(MemoryTest, FreeWaitsForEnqueuedWork) {
    int* const device = device_ints(1);
    int* const host = pinned_ints(1);
    CUDA_OK(cudaMemsetAsync(device, 0, sizeof(int), stream_));
    CUDA_OK(cudaMemcpyAsync(host, device, sizeof(int), cudaMemcpyDeviceToHost, stream_));
    CUDA_OK(cudaFree(device));
    EXPECT_EQ(*host, 0);
}

TEST_F(MemoryTest, FreeWantsTheBeginningOfABlockOfThisContext) {
    int* const memory = device_ints(4);
    CUDA_FAILS(cudaErrorInvalidValue, cudaFree(memory + 1));
    CUcontext other = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&other, 0, 0));
    CUDA_FAILS(cudaErrorInvalidValue, cudaFree(memory));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(other));
    CUDA_OK(cudaFree(memory));
    CUDA_FAILS(cudaErrorInvalidValue, cudaFree(memory));
    CUDA_OK(cudaFree(nullptr));
}

TEST_F(MemoryTest, CopiesStayInsideTheirBlocks) {
    int* const device = device_ints(4);
    int* const pinned = pinned_ints(4);
    int pageable[8] = {};
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(device, pageable, 20, cudaMemcpyHostToDevice, stream_));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(device, pinned, 20, cudaMemcpyHostToDevice, stream_));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(device + 1, pinned, 16, cudaMemcpyHostToDevice, stream_));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemsetAsync(device, 0, 17, stream_));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemsetAsync(pinned, 0, 16, stream_));
    CUDA_OK(cudaMemcpyAsync(device, pinned, 16, cudaMemcpyHostToDevice, stream_));
}

TEST_F(MemoryTest, CopiesGoTheWayTheySay) {
    int* const device = device_ints(4);
    int host[4] = {};
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(host, device, 16, cudaMemcpyHostToDevice, stream_));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(device, host, 16, cudaMemcpyDeviceToDevice, stream_));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(host, host, 16, cudaMemcpyHostToHost, stream_));
    CUDA_OK(cudaMemcpyAsync(device, host, 16, cudaMemcpyDefault, stream_));
}

TEST_F(MemoryTest, RowsOfACopyHaveTheirPitches) {
    const int host[6] = {1, 2, -1, 3, 4, -1};
    int* const device = device_ints(8);
    CUDA_OK(cudaMemsetAsync(device, 0, 32, stream_));
    CUDA_OK(cudaMemcpy2DAsync(device, 16, host, 12, 8, 2, cudaMemcpyHostToDevice, stream_));
    EXPECT_EQ(read(device, 8), (std::vector<int>{1, 2, 0, 0, 3, 4, 0, 0}));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpy2DAsync(device, 4, host, 12, 8, 2, cudaMemcpyHostToDevice, stream_));
    CUDA_OK(cudaMemcpy2DAsync(device, 16, host, 12, 8, 0, cudaMemcpyHostToDevice, stream_));
}

TEST_F(MemoryTest, AnotherContextsMemoryIsRefused) {
    int* const theirs = device_ints(1);
    CUcontext other = nullptr;
    cudaStream_t stream = nullptr;
    int host = 0;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&other, 0, 1));
    CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemcpyAsync(theirs, &host, sizeof(int), cudaMemcpyHostToDevice, stream));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemsetAsync(theirs, 0, sizeof(int), stream));
    CUDA_FAILS(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(stream_));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(other));
}

TEST_F(MemoryTest, FreeingPageLockedMemoryUnderACopyIsFound) {
    int* const device = device_ints(1);
    int* const host = pinned_ints(1);
    *host = 0;
    CUDA_OK(cudaMemcpyAsync(device, host, sizeof(int), cudaMemcpyHostToDevice, stream_));
    expect_lost(cudaFreeHost(host), "freed while a copy that uses it is enqueued");
}

TEST_F(MemoryTest, AGraphThatUsesFreedMemoryIsFound) {
    int* const device = device_ints(1);
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    CUDA_OK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    CUDA_OK(cudaMemsetAsync(device, 0, sizeof(int), stream_));
    CUDA_OK(cudaStreamEndCapture(stream_, &graph));
    CUDA_OK(cudaGraphInstantiate(&executable, graph));
    CUDA_OK(cudaFree(device));
    CUDA_OK(cudaGraphLaunch(executable, stream_));
    expect_lost(cudaStreamSynchronize(stream_), "not allocated in its context any more");
}

TEST_F(MemoryTest, ALostContextIsReplacedByReset) {
    int* const device = device_ints(1);
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_LOST_DEVICE));
    CUDA_OK(cudaMemsetAsync(device, 0, sizeof(int), stream_));
    CUDA_FAILS(cudaErrorECCUncorrectable, cudaStreamSynchronize(stream_));
    CUDA_FAILS(cudaErrorECCUncorrectable, cudaFree(device));
    ASSERT_EQ(LK_OK, lk_emulated_reset());
    CUDA_FAILS(cudaErrorDeviceUninitialized, cudaFree(device));
    CUcontext fresh = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&fresh, 0, 0));
    int* memory = nullptr;
    CUDA_OK(cudaMalloc(&memory, 16));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(fresh));
}

TEST_F(MemoryTest, LivingMemoryIsListed) {
    char text[1000];
    ASSERT_EQ(LK_OK, lk_emulated_list_memory(text, sizeof text));
    const std::string before = text;
    int* const first = device_ints(1);
    device_ints(5);
    CUDA_OK(cudaFree(first));
    ASSERT_EQ(LK_OK, lk_emulated_list_memory(text, sizeof text));
    const std::string added = std::string(text).substr(before.size());
    EXPECT_EQ(added.rfind("device 0: 20 bytes (allocation ", 0), 0u) << added;
    EXPECT_EQ(added.find('\n'), added.size() - 1) << added;
    ASSERT_EQ(LK_OK, lk_emulated_list_memory(text, 7));
    EXPECT_STREQ(text, "device");
    EXPECT_EQ(LK_INVALID_ARGUMENT, lk_emulated_list_memory(text, 0));
}

TEST_F(MemoryTest, StatisticsCountWhatRuns) {
    ASSERT_EQ(LK_OK, lk_emulated_statistics_clear());
    int* const device = device_ints(4);
    CUDA_OK(cudaMemsetAsync(device, 0, 16, stream_));
    lk_emulated_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    ASSERT_EQ(LK_OK, lk_emulated_statistics_get(&statistics));
    EXPECT_EQ(statistics.copies, 0);  // enqueued only
    CUDA_OK(cudaStreamSynchronize(stream_));
    ASSERT_EQ(LK_OK, lk_emulated_statistics_get(&statistics));
    EXPECT_EQ(statistics.copies, 1);
    EXPECT_EQ(statistics.allocations, 1);
    EXPECT_EQ(statistics.live_bytes, 16);
}

}  // namespace
}  // namespace lk::test
