// Capture and replay, and what CUDA forbids while it lasts.
#include <set>
#include <thread>

#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

class GraphTest : public RuntimeTest {
  protected:
    void SetUp() override {
        RuntimeTest::SetUp();
        CUDA_OK(cudaStreamCreateWithFlags(&other_, cudaStreamNonBlocking));
        CUDA_OK(cudaEventCreateWithFlags(&fork_, cudaEventDisableTiming));
        CUDA_OK(cudaEventCreateWithFlags(&join_, cudaEventDisableTiming));
        memory_ = device_ints(2);
    }

    void begin(cudaStreamCaptureMode mode = cudaStreamCaptureModeThreadLocal) {
        CUDA_OK(cudaStreamBeginCapture(stream_, mode));
    }
    cudaGraphExec_t end() {
        cudaGraph_t graph = nullptr;
        cudaGraphExec_t executable = nullptr;
        EXPECT_EQ(cudaSuccess, cudaStreamEndCapture(stream_, &graph));
        EXPECT_EQ(cudaSuccess, cudaGraphInstantiate(&executable, graph));
        EXPECT_EQ(cudaSuccess, cudaGraphDestroy(graph));
        return executable;
    }
    void expect_end(cudaError_t error) {
        cudaGraph_t graph = nullptr;
        CUDA_FAILS(error, cudaStreamEndCapture(stream_, &graph));
        EXPECT_EQ(graph, nullptr);
        cudaStreamCaptureStatus status = cudaStreamCaptureStatusActive;
        CUDA_OK(cudaStreamIsCapturing(stream_, &status));
        EXPECT_EQ(status, cudaStreamCaptureStatusNone);
        CUDA_OK(cudaStreamSynchronize(stream_));
    }

    cudaStream_t other_ = nullptr;
    cudaEvent_t fork_ = nullptr;
    cudaEvent_t join_ = nullptr;
    int* memory_ = nullptr;
};

TEST_F(GraphTest, RecordsInsteadOfRunning) {
    CUDA_OK(cudaMemsetAsync(memory_, 0, 8, stream_));
    begin();
    CUDA_OK(cudaMemsetAsync(memory_, 1, 4, stream_));
    const cudaGraphExec_t graph = end();
    EXPECT_EQ(read(memory_, 1)[0], 0);
    CUDA_OK(cudaGraphLaunch(graph, stream_));
    EXPECT_EQ(read(memory_, 1)[0], 0x01010101);
}

TEST_F(GraphTest, ReplaysWithChangedContents) {
    int* const source = pinned_ints(1);
    begin();
    CUDA_OK(cudaMemcpyAsync(memory_, source, 4, cudaMemcpyHostToDevice, stream_));
    const cudaGraphExec_t graph = end();
    for (int value = 0; value < 3; ++value) {
        *source = value;
        CUDA_OK(cudaGraphLaunch(graph, stream_));
        EXPECT_EQ(read(memory_, 1)[0], value);
    }
}

TEST_F(GraphTest, ForkedStreamsKeepTheirEdgesOnly) {
    begin();
    CUDA_OK(cudaMemsetAsync(memory_, 1, 8, stream_));
    CUDA_OK(cudaEventRecord(fork_, stream_));
    CUDA_OK(cudaStreamWaitEvent(other_, fork_));
    CUDA_OK(cudaMemsetAsync(memory_, 2, 4, other_));
    CUDA_OK(cudaMemsetAsync(memory_, 3, 4, stream_));  // the mistake: nothing orders it with the other stream's
    CUDA_OK(cudaEventRecord(join_, other_));
    CUDA_OK(cudaStreamWaitEvent(stream_, join_));
    CUDA_OK(cudaMemsetAsync(memory_ + 1, 4, 4, stream_));
    const cudaGraphExec_t graph = end();
    std::set<int> seen;
    for (int launch = 0; launch < 20; ++launch) {
        CUDA_OK(cudaGraphLaunch(graph, stream_));
        const std::vector<int> values = read(memory_, 2);
        seen.insert(values[0]);
        EXPECT_EQ(values[1], 0x04040404);
    }
    EXPECT_EQ(seen, (std::set<int>{0x02020202, 0x03030303}));
}

TEST_F(GraphTest, LaunchesOfOneGraphRunOneAfterTheOther) {
    int* const source = pinned_ints(1);
    *source = 7;
    begin();
    CUDA_OK(cudaMemcpyAsync(memory_, memory_ + 1, 4, cudaMemcpyDeviceToDevice, stream_));
    CUDA_OK(cudaMemsetAsync(memory_ + 1, 5, 4, stream_));
    const cudaGraphExec_t graph = end();
    for (int value = 0; value < 20; ++value) {
        seed(value);
        CUDA_OK(cudaMemcpyAsync(memory_ + 1, source, 4, cudaMemcpyHostToDevice, stream_));
        CUDA_OK(cudaGraphLaunch(graph, stream_));
        CUDA_OK(cudaGraphLaunch(graph, other_));
        EXPECT_EQ(read(memory_, 1)[0], 0x05050505);
    }
}

TEST_F(GraphTest, CallsThatWaitEndTheCapture) {
    begin();
    CUDA_FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(stream_));
    CUDA_FAILS(cudaErrorStreamCaptureInvalidated, cudaMemsetAsync(memory_, 0, 4, stream_));
    expect_end(cudaErrorStreamCaptureInvalidated);

    begin();
    CUDA_FAILS(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(other_));
    expect_end(cudaErrorStreamCaptureInvalidated);

    begin();
    CUDA_OK(cudaEventRecord(fork_, stream_));
    CUDA_FAILS(cudaErrorCapturedEvent, cudaEventSynchronize(fork_));
    expect_end(cudaErrorStreamCaptureInvalidated);

    int pageable = 0;
    begin();
    CUDA_FAILS(cudaErrorStreamCaptureUnsupported,
               cudaMemcpyAsync(memory_, &pageable, 4, cudaMemcpyHostToDevice, stream_));
    expect_end(cudaErrorStreamCaptureInvalidated);
}

TEST_F(GraphTest, AllocationEndsTheCaptureUnlessTheModeAllowsIt) {
    void* memory = nullptr;
    begin();
    CUDA_FAILS(cudaErrorStreamCaptureUnsupported, cudaMalloc(&memory, 16));
    expect_end(cudaErrorStreamCaptureInvalidated);

    begin(cudaStreamCaptureModeRelaxed);
    CUDA_OK(cudaMalloc(&memory, 16));
    end();

    begin();
    cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
    CUDA_OK(cudaThreadExchangeStreamCaptureMode(&mode));
    CUDA_OK(cudaFree(memory));
    CUDA_OK(cudaThreadExchangeStreamCaptureMode(&mode));
    end();
}

TEST_F(GraphTest, OtherThreadsAreBoundByGlobalCapturesOnly) {
    const auto allocate_elsewhere = [&] {
        cudaError_t error = cudaSuccess;
        std::thread([&] {
            void* memory = nullptr;
            cuCtxPushCurrent(context_);
            error = cudaMalloc(&memory, 16);
        }).join();
        return error;
    };
    begin(cudaStreamCaptureModeThreadLocal);
    CUDA_FAILS(cudaSuccess, allocate_elsewhere());
    end();
    begin(cudaStreamCaptureModeGlobal);
    CUDA_FAILS(cudaErrorStreamCaptureUnsupported, allocate_elsewhere());
    expect_end(cudaErrorStreamCaptureInvalidated);
}

TEST_F(GraphTest, UnjoinedWorkIsRefused) {
    begin();
    CUDA_OK(cudaEventRecord(fork_, stream_));
    CUDA_OK(cudaStreamWaitEvent(other_, fork_));
    CUDA_OK(cudaMemsetAsync(memory_, 2, 4, other_));
    expect_end(cudaErrorStreamCaptureUnjoined);
}

TEST_F(GraphTest, CapturesDoNotMix) {
    CUDA_OK(cudaEventRecord(fork_, other_));
    begin();
    CUDA_FAILS(cudaErrorStreamCaptureIsolation, cudaStreamWaitEvent(stream_, fork_));
    expect_end(cudaErrorStreamCaptureInvalidated);

    begin();
    CUDA_OK(cudaStreamBeginCapture(other_, cudaStreamCaptureModeThreadLocal));
    CUDA_OK(cudaEventRecord(fork_, other_));
    CUDA_FAILS(cudaErrorStreamCaptureMerge, cudaStreamWaitEvent(stream_, fork_));
    cudaGraph_t graph = nullptr;
    CUDA_FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(other_, &graph));
    expect_end(cudaErrorStreamCaptureInvalidated);
    CUDA_FAILS(cudaErrorCapturedEvent, cudaStreamWaitEvent(stream_, fork_));
}

TEST_F(GraphTest, EndsWhereAndByWhomItBegan) {
    cudaGraph_t graph = nullptr;
    CUDA_FAILS(cudaErrorIllegalState, cudaStreamEndCapture(stream_, &graph));
    begin();
    CUDA_FAILS(cudaErrorIllegalState, cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    cudaError_t error = cudaSuccess;
    std::thread([&] {
        cuCtxPushCurrent(context_);
        error = cudaStreamEndCapture(stream_, &graph);
    }).join();
    EXPECT_EQ(error, cudaErrorStreamCaptureWrongThread);
    CUDA_OK(cudaEventRecord(fork_, stream_));
    CUDA_OK(cudaStreamWaitEvent(other_, fork_));
    CUDA_FAILS(cudaErrorStreamCaptureUnmatched, cudaStreamEndCapture(other_, &graph));
    expect_end(cudaErrorStreamCaptureInvalidated);
}

TEST_F(GraphTest, DestroyingAGraphUnderItsLaunchIsFound) {
    begin();
    CUDA_OK(cudaMemsetAsync(memory_, 1, 4, stream_));
    const cudaGraphExec_t graph = end();
    CUDA_OK(cudaGraphLaunch(graph, stream_));
    CUDA_FAILS(cudaErrorLaunchFailure, cudaGraphExecDestroy(graph));
    EXPECT_NE(std::string(cudaGetErrorString(cudaErrorLaunchFailure)).find("a graph is destroyed"), std::string::npos);
}

}  // namespace
}  // namespace lk::test
