// cp.async: waits, groups, who sees what lands, and refills of what is still read.
#include "device/harness.h"
#include "platform/cuda/async_copy.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::emulated::testing {
namespace {

constexpr int rounds = 6;
constexpr uint32_t threads = 64;
constexpr uint32_t words = threads * 4;  // a stage
using Ring = uint32_t[3][words];

enum class Mistake {
    none,
    no_wait,
    wait_one_group_short,
    no_barrier,
    commit_only_with_copies,
    no_barrier_before_refill
};

// Each thread copies 16 bytes of a stage and adds up what its neighbour copied, two stages ahead.
template <Mistake Planted>
__global__ void pipeline(const uint32_t* in, uint32_t* out) {
    LK_SHARED(Ring, ring);
    const uint32_t thread = threadIdx.x;
    const auto load = [&](int round) {
        if (round < rounds) cuda::cp_async<16>(&ring[round % 3][thread * 4], in + round * words + thread * 4);
        if (Planted != Mistake::commit_only_with_copies || round < rounds) cuda::cp_async_commit();
    };
    load(0);
    load(1);
    uint32_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
        if constexpr (Planted == Mistake::wait_one_group_short) {
            cuda::cp_async_wait<2>();
        } else if constexpr (Planted != Mistake::no_wait) {
            cuda::cp_async_wait<1>();
        }
        if constexpr (Planted != Mistake::no_barrier) cuda::block_sync();
        if constexpr (Planted == Mistake::no_barrier_before_refill) load(round + 3);
        if constexpr (Planted != Mistake::no_barrier_before_refill) load(round + 2);
        sum += ring[round % 3][(thread + 1) % threads * 4 + 1];
    }
    out[thread] = sum;
    cuda::cp_async_wait<0>();
}

class CpAsync : public ::testing::Test {
  protected:
    template <Mistake Planted>
    auto launch() {
        return [this](const Options& options) {
            return run(pipeline<Planted>, {.block = threads}, options, in.data(), out.data());
        };
    }

    static std::vector<uint32_t> contents() {
        std::vector<uint32_t> values(rounds * words);
        for (size_t i = 0; i < values.size(); ++i) values[i] = uint32_t(i * i);
        return values;
    }

    Array<uint32_t> in{contents()};
    Array<uint32_t> out = Array<uint32_t>::uninitialised(threads);
};

TEST_F(CpAsync, FillsStages) {
    expect_silent(launch<Mistake::none>());
    for (uint32_t thread = 0; thread < threads; ++thread) {
        uint32_t sum = 0;
        for (int round = 0; round < rounds; ++round) sum += in.data()[round * words + (thread + 1) % threads * 4 + 1];
        EXPECT_EQ(out.read()[thread], sum);
    }
}

TEST_F(CpAsync, FindsMissingWaits) {
    expect_found("in-flight read", launch<Mistake::no_wait>());
    expect_found("in-flight read", launch<Mistake::wait_one_group_short>());
    expect_found("in-flight read", launch<Mistake::commit_only_with_copies>());
}

TEST_F(CpAsync, FindsMissingBarriers) {
    expect_found("without", launch<Mistake::no_barrier>());
    expect_found("race", launch<Mistake::no_barrier_before_refill>());
}

__global__ void leave_copies(const uint32_t* in) {
    LK_SHARED(Ring, ring);
    cuda::cp_async<16>(&ring[0][threadIdx.x * 4], in + threadIdx.x * 4);
    cuda::cp_async_commit();
}

TEST_F(CpAsync, FindsCopiesThatNobodyWaitsFor) {
    expect_found("missing wait", [&](const Options& options) { return run(leave_copies, {}, options, in.data()); });
}

// Lane 0 refills for the warp what all of its lanes read.
template <bool Sync>
__global__ void refill_by_one_lane(const uint32_t* in, uint32_t* out) {
    LK_SHARED(Ring, ring);
    const uint32_t lane = threadIdx.x;
    uint32_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
        if (lane == 0) {
            for (int i = 0; i < 8; ++i) cuda::cp_async<16>(&ring[0][i * 4], in + round * words + i * 4);
            cuda::cp_async_commit();
            cuda::cp_async_wait<0>();
        }
        cuda::warp_sync();
        sum += ring[0][lane];
        if constexpr (Sync) cuda::warp_sync();
    }
    out[lane] = sum;
}

TEST_F(CpAsync, FindsRefillsWithoutWarpSync) {
    expect_silent(
        [&](const Options& options) { return run(refill_by_one_lane<true>, {}, options, in.data(), out.data()); });
    expect_found("race: block (0,0,0) thread 0 ", [&](const Options& options) {
        return run(refill_by_one_lane<false>, {}, options, in.data(), out.data());
    });
}

template <bool Wait>
__global__ void arrive_on_mbarrier(const uint32_t* in, uint32_t* out) {
    LK_SHARED(Ring, ring);
    LK_SHARED(uint64_t, full);
    if (threadIdx.x == 0) {
        cuda::mbarrier_init(&full, threads);
        cuda::fence_mbarrier_init();
    }
    cuda::block_sync();
    cuda::cp_async<16>(&ring[0][threadIdx.x * 4], in + threadIdx.x * 4);
    cuda::cp_async_arrive(&full);
    if constexpr (Wait) cuda::mbarrier_wait(&full, 0);
    out[threadIdx.x] = ring[0][(threadIdx.x + 1) % threads * 4];
}

TEST_F(CpAsync, ArrivesOnMbarriers) {
    expect_silent([&](const Options& options) {
        return run(arrive_on_mbarrier<true>, {.block = threads}, options, in.data(), out.data());
    });
    expect_found("read", [&](const Options& options) {
        return run(arrive_on_mbarrier<false>, {.block = threads}, options, in.data(), out.data());
    });
}

// The thread that copies waits on its own, others for the mbarrier.
__global__ void arrive_and_wait(const uint32_t* in, uint32_t* out) {
    LK_SHARED(Ring, ring);
    LK_SHARED(uint64_t, full);
    const uint32_t lane = threadIdx.x % 32;
    if (threadIdx.x == 0) {
        cuda::mbarrier_init(&full, 32);
        cuda::fence_mbarrier_init();
    }
    cuda::block_sync();
    if (threadIdx.x < 32) {
        cuda::cp_async<16>(&ring[0][lane * 4], in + lane * 4);
        cuda::cp_async_arrive(&full);
        cuda::cp_async_commit();
        cuda::cp_async_wait<0>();
        out[lane] = ring[0][lane * 4];
    } else {
        cuda::mbarrier_wait(&full, 0);
        out[threadIdx.x] = ring[0][(31 - lane) * 4];
    }
}

TEST_F(CpAsync, IsSeenByItsThreadAndByThoseWhoWaitForTheMbarrier) {
    expect_silent(
        [&](const Options& options) { return run(arrive_and_wait, {.block = 64}, options, in.data(), out.data()); });
}

__global__ void fill_with_zeros(const uint32_t* in, uint32_t* out, int bytes) {
    LK_SHARED(Ring, ring);
    cuda::cp_async_zero_fill<16>(&ring[0][0], in, bytes);
    cuda::cp_async_commit();
    cuda::cp_async_wait<0>();
    for (int i = 0; i < 4; ++i) out[i] = ring[0][i];
}

TEST_F(CpAsync, FillsWithZeros) {
    expect_silent(
        [&](const Options& options) { return run(fill_with_zeros, {.block = 1}, options, in.data(), out.data(), 8); });
    EXPECT_EQ((std::vector<uint32_t>(out.data(), out.data() + 4)), (std::vector<uint32_t>{0, 1, 0, 0}));
}

__global__ void copy_misaligned(const uint32_t* in) {
    LK_SHARED(Ring, ring);
    cuda::cp_async<16>(&ring[0][1], in);
}

TEST_F(CpAsync, FindsMisalignedDestinations) {
    expect_found("misaligned", [&](const Options& options) { return run(copy_misaligned, {}, options, in.data()); });
}

}  // namespace
}  // namespace lk::emulated::testing
