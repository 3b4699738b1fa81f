// Barriers of a block, and what they order.
#include "device/harness.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::emulated::testing {
namespace {

constexpr uint32_t threads = 128;
using Exchanged = uint32_t[threads];

template <bool Barrier>
__global__ void reverse(uint32_t* out) {
    LK_SHARED(Exchanged, values);
    values[threadIdx.x] = threadIdx.x;
    if constexpr (Barrier) cuda::block_sync();
    out[threadIdx.x] = values[threads - 1 - threadIdx.x];
}

TEST(Barrier, OrdersTheBlock) {
    const auto out = Array<uint32_t>::uninitialised(threads);
    expect_silent([&](const Options& options) { return run(reverse<true>, {.block = threads}, options, out.data()); });
    for (uint32_t i = 0; i < threads; ++i) EXPECT_EQ(out.read()[i], threads - 1 - i);
}

TEST(Barrier, IsMissed) {
    const auto out = Array<uint32_t>::uninitialised(threads);
    const auto launch = [&](const Options& options) {
        return run(reverse<false>, {.block = threads}, options, out.data());
    };
    expect_found("without a barrier between", launch, seeds / 2);
    expect_found("shared memory", launch);
}

__global__ void diverge() {
    if (threadIdx.x < 16) {
        cuda::block_sync();
    } else {
        cuda::block_sync();
    }
}

TEST(Barrier, FindsDivergenceInAWarp) {
    expect_found("divergence", [&](const Options& options) { return run(diverge, {.block = 64}, options); });
}

__global__ void skip_one_warp() {
    if (threadIdx.x / 32 != 2) cuda::barrier_sync(1, threads);
}

TEST(Barrier, ReportsWhoWaitsInADeadLock) {
    const auto launch = [&](const Options& options) { return run(skip_one_warp, {.block = threads}, options); };
    expect_found("dead-lock", launch);
    expect_found("[warp 3 waits in barrier_sync at barrier_test.cu:", launch);
}

__global__ void leave_before_barrier(uint32_t* out) {
    if (threadIdx.x >= 64) return;
    cuda::block_sync();
    out[threadIdx.x] = 1;
}

TEST(Barrier, DoesNotWaitForExitedThreads) {
    const auto out = Array<uint32_t>::uninitialised(64);
    expect_silent(
        [&](const Options& options) { return run(leave_before_barrier, {.block = threads}, options, out.data()); });
}

template <int Count>
__global__ void hand_over(uint32_t* out) {
    LK_SHARED(Exchanged, values);
    if (threadIdx.x < 64) {
        values[threadIdx.x] = threadIdx.x;
        cuda::barrier_arrive(2, threads);
    } else {
        cuda::barrier_sync(2, Count);
        out[threadIdx.x - 64] = values[threadIdx.x - 64];
    }
}

TEST(Barrier, HandsOverByArriving) {
    const auto out = Array<uint32_t>::uninitialised(64);
    expect_silent(
        [&](const Options& options) { return run(hand_over<threads>, {.block = threads}, options, out.data()); });
}

TEST(Barrier, FindsWrongCounts) {
    const auto out = Array<uint32_t>::uninitialised(64);
    expect_found("gives barrier 2",
                 [&](const Options& options) { return run(hand_over<64>, {.block = threads}, options, out.data()); });
    expect_found("not a multiple of 32",
                 [&](const Options& options) { return run(hand_over<100>, {.block = threads}, options, out.data()); });
}

__global__ void vote(uint32_t* out) {
    const bool any = cuda::block_sync_or(threadIdx.x == 77);
    const bool none = cuda::block_sync_or(false);
    const bool all = cuda::block_sync_and(threadIdx.x < threads);
    const bool not_all = cuda::block_sync_and(threadIdx.x != 3);
    out[threadIdx.x] = any && !none && all && !not_all;
}

TEST(Barrier, Votes) {
    const auto out = Array<uint32_t>::uninitialised(threads);
    expect_silent([&](const Options& options) { return run(vote, {.block = threads}, options, out.data()); });
    EXPECT_EQ(out.read(), std::vector<uint32_t>(threads, 1));
}

}  // namespace
}  // namespace lk::emulated::testing
