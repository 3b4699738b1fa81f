// Work on streams is late, and streams overtake each other: what CUDA leaves open, the emulated runtime shows.
#include <set>

#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

using StreamTest = RuntimeTest;

TEST_F(StreamTest, PageLockedSourceIsReadWhenTheCopyRuns) {
    int* const source = pinned_ints(1);
    int* const destination = device_ints(1);
    *source = 1;
    CUDA_OK(cudaMemcpyAsync(destination, source, sizeof(int), cudaMemcpyHostToDevice, stream_));
    *source = 2;  // the mistake: the copy has not run
    EXPECT_EQ(read(destination, 1)[0], 2);
}

TEST_F(StreamTest, PageableSourceIsReadByTheCall) {
    int source = 1;
    int* const destination = device_ints(1);
    CUDA_OK(cudaMemcpyAsync(destination, &source, sizeof(int), cudaMemcpyHostToDevice, stream_));
    source = 2;
    EXPECT_EQ(read(destination, 1)[0], 1);
}

TEST_F(StreamTest, PageLockedDestinationIsSpoiltUntilTheCopyHasRun) {
    int* const source = device_ints(1);
    int* const destination = pinned_ints(1);
    CUDA_OK(cudaMemsetAsync(source, 0, sizeof(int), stream_));
    *destination = 5;
    CUDA_OK(cudaMemcpyAsync(destination, source, sizeof(int), cudaMemcpyDeviceToHost, stream_));
    EXPECT_EQ(*destination, -1);
    CUDA_OK(cudaStreamSynchronize(stream_));
    EXPECT_EQ(*destination, 0);
}

TEST_F(StreamTest, PageLockedDestinationThatEarlierWorkReadsIsNotSpoilt) {
    int* const host = pinned_ints(1);
    int* const first = device_ints(1);
    int* const second = device_ints(1);
    CUDA_OK(cudaMemsetAsync(second, 0, sizeof(int), stream_));
    *host = 5;
    CUDA_OK(cudaMemcpyAsync(first, host, sizeof(int), cudaMemcpyHostToDevice, stream_));
    CUDA_OK(cudaMemcpyAsync(host, second, sizeof(int), cudaMemcpyDeviceToHost, stream_));
    EXPECT_EQ(read(first, 1)[0], 5);
    EXPECT_EQ(*host, 0);
}

TEST_F(StreamTest, PageableDestinationIsCompleteWhenTheCallReturns) {
    int* const source = device_ints(1);
    int destination = 5;
    CUDA_OK(cudaMemsetAsync(source, 0, sizeof(int), stream_));
    CUDA_OK(cudaMemcpyAsync(&destination, source, sizeof(int), cudaMemcpyDeviceToHost, stream_));
    EXPECT_EQ(destination, 0);
}

TEST_F(StreamTest, NewMemoryIsPoisoned) {
    int* const memory = device_ints(1);
    EXPECT_NE(read(memory, 1)[0], 0);
    EXPECT_EQ(*pinned_ints(1), -1);
}

TEST_F(StreamTest, OneStreamKeepsItsOrder) {
    int* const memory = device_ints(1);
    for (int value = 0; value < 100; ++value) {
        CUDA_OK(cudaMemsetAsync(memory, value, sizeof(int), stream_));
    }
    EXPECT_EQ(read(memory, 1)[0], 99 * 0x01010101);
}

// Two streams, no event: which one is last differs from seed to seed.
TEST_F(StreamTest, StreamsWithoutAnEventRunInAnyOrder) {
    cudaStream_t other = nullptr;
    CUDA_OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    int* const memory = device_ints(1);
    std::set<int> seen;
    for (int value = 0; value < 20; ++value) {
        seed(value);
        CUDA_OK(cudaMemsetAsync(memory, 1, sizeof(int), stream_));
        CUDA_OK(cudaMemsetAsync(memory, 2, sizeof(int), other));
        seen.insert(read(memory, 1)[0]);
    }
    EXPECT_EQ(seen, (std::set<int>{0x01010101, 0x02020202}));
}

TEST_F(StreamTest, AnEventOrdersStreams) {
    cudaStream_t other = nullptr;
    cudaEvent_t event = nullptr;
    CUDA_OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    CUDA_OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    int* const memory = device_ints(1);
    for (int value = 0; value < 20; ++value) {
        seed(value);
        CUDA_OK(cudaMemsetAsync(memory, 1, sizeof(int), stream_));
        CUDA_OK(cudaEventRecord(event, stream_));
        CUDA_OK(cudaStreamWaitEvent(other, event));
        CUDA_OK(cudaMemsetAsync(memory, 2, sizeof(int), other));
        EXPECT_EQ(read(memory, 1)[0], 0x02020202);
    }
}

TEST_F(StreamTest, AWaitIsForTheRecordBeforeIt) {
    cudaStream_t other = nullptr;
    cudaEvent_t event = nullptr;
    CUDA_OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    CUDA_OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    CUDA_OK(cudaStreamWaitEvent(other, event));  // never recorded: no wait
    CUDA_OK(cudaEventSynchronize(event));
    CUDA_OK(cudaEventRecord(event, stream_));
    CUDA_OK(cudaStreamWaitEvent(other, event));
    CUDA_OK(cudaEventRecord(event, other));  // a new record does not make the wait one for itself
    CUDA_OK(cudaStreamSynchronize(other));
}

TEST_F(StreamTest, EventsAndStreamsTellWhenTheyAreReached) {
    cudaEvent_t event = nullptr;
    CUDA_OK(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    int* const memory = device_ints(1);
    int waits = 0;
    for (int value = 0; value < 20; ++value) {
        seed(value);
        CUDA_OK(cudaMemsetAsync(memory, 1, sizeof(int), stream_));
        CUDA_OK(cudaEventRecord(event, stream_));
        while (cudaEventQuery(event) == cudaErrorNotReady) ++waits;
        EXPECT_EQ(cudaStreamQuery(stream_), cudaSuccess);
    }
    EXPECT_GT(waits, 20);
}

TEST_F(StreamTest, WorkOfADestroyedStreamStillRuns) {
    cudaStream_t other = nullptr;
    CUDA_OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    int* const memory = device_ints(1);
    CUDA_OK(cudaMemsetAsync(memory, 3, sizeof(int), other));
    CUDA_OK(cudaStreamDestroy(other));
    CUDA_FAILS(cudaErrorInvalidResourceHandle, cudaMemsetAsync(memory, 4, sizeof(int), other));
    EXPECT_EQ(read(memory, 1)[0], 0x03030303);
}

TEST_F(StreamTest, DefaultStreamsAreRefused) {
    int* const memory = device_ints(1);
    for (const cudaStream_t stream : {cudaStream_t(nullptr), cudaStreamLegacy, cudaStreamPerThread}) {
        CUDA_FAILS(cudaErrorInvalidResourceHandle, cudaMemsetAsync(memory, 0, sizeof(int), stream));
        CUDA_FAILS(cudaErrorInvalidResourceHandle, cudaStreamSynchronize(stream));
    }
}

}  // namespace
}  // namespace lk::test
