// mbarriers and bulk copies: a ring that a producer fills and consumers empty.
#include "device/harness.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/bulk_copy.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::emulated::testing {
namespace {

constexpr int rounds = 7;
constexpr int stages = 2;
constexpr uint32_t words = 32;  // a stage
struct alignas(128) Ring {
    uint32_t stage[stages][words];
    uint64_t full[stages];
    uint64_t empty[stages];
};

enum class Mistake {
    none,
    no_full_wait,
    wrong_parity,
    no_empty_wait,
    early_release,
    no_sync_before_release,
    expects_too_much,
    expects_too_little,
    no_init_fence,
    no_barrier_after_init,
    one_arrival_too_many,
};

// Warp 0 lets its lane 0 copy stages, warp 1 adds them up; lane 0 of warp 1 releases a stage for its warp.
template <Mistake Planted>
__global__ void ring_of_bulk_copies(const uint32_t* in, uint32_t* out) {
    LK_SHARED(Ring, ring);
    const uint32_t lane = threadIdx.x % 32;
    constexpr uint32_t bytes = words * 4;
    if (threadIdx.x == 0) {
        for (int i = 0; i < stages; ++i) {
            cuda::mbarrier_init(&ring.full[i], 1);
            cuda::mbarrier_init(&ring.empty[i], 1);
        }
        if constexpr (Planted != Mistake::no_init_fence) cuda::fence_mbarrier_init();
    }
    if constexpr (Planted != Mistake::no_barrier_after_init) cuda::block_sync();
    if (threadIdx.x < 32) {
        for (int round = 0; round < rounds && lane == 0; ++round) {
            const int stage = round % stages;
            if (Planted != Mistake::no_empty_wait && round >= stages) {
                cuda::mbarrier_wait(&ring.empty[stage], uint32_t(round / stages - 1) % 2);
            }
            uint32_t expected = bytes;
            if (Planted == Mistake::expects_too_much && round == 3) expected += 16;
            if (Planted == Mistake::expects_too_little && round == 3) expected -= 16;
            cuda::mbarrier_arrive_expect_tx(&ring.full[stage], expected);
            if (Planted == Mistake::one_arrival_too_many && round == 0) {
                cuda::mbarrier_arrive(&ring.full[stage]);
            }
            cuda::bulk_load(ring.stage[stage], in + round * words, bytes, &ring.full[stage]);
        }
        return;
    }
    uint32_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
        const int stage = round % stages;
        const uint32_t parity = uint32_t(round / stages) % 2;
        if constexpr (Planted == Mistake::wrong_parity) {
            cuda::mbarrier_wait(&ring.full[stage], parity ^ 1);
        } else if constexpr (Planted != Mistake::no_full_wait) {
            cuda::mbarrier_wait(&ring.full[stage], parity);
        }
        if (Planted == Mistake::early_release && lane == 0) cuda::mbarrier_arrive(&ring.empty[stage]);
        sum += ring.stage[stage][lane ^ 1];
        if constexpr (Planted != Mistake::no_sync_before_release) cuda::warp_sync();
        if (Planted != Mistake::early_release && lane == 0) cuda::mbarrier_arrive(&ring.empty[stage]);
    }
    out[lane] = sum;
}

class Mbarrier : public ::testing::Test {
  protected:
    template <Mistake Planted>
    auto launch() {
        return [this](const Options& options) {
            return run(ring_of_bulk_copies<Planted>, {.block = 64}, options, in.data(), out.data());
        };
    }

    static std::vector<uint32_t> contents() {
        std::vector<uint32_t> values(rounds * words);
        for (size_t i = 0; i < values.size(); ++i) values[i] = uint32_t(i * i);
        return values;
    }

    Array<uint32_t> in{contents()};
    Array<uint32_t> out = Array<uint32_t>::uninitialised(words);
};

TEST_F(Mbarrier, LetsARingRun) {
    expect_silent(launch<Mistake::none>());
    for (uint32_t lane = 0; lane < 32; ++lane) {
        uint32_t sum = 0;
        for (int round = 0; round < rounds; ++round) sum += in.data()[round * words + (lane ^ 1)];
        EXPECT_EQ(out.read()[lane], sum);
    }
}

TEST_F(Mbarrier, FindsMissingWaits) {
    expect_found("read", launch<Mistake::no_full_wait>());
    // What goes wrong first depends on the schedule: a race, a dead-lock, an arrival too many.
    expect_found("", launch<Mistake::wrong_parity>());
    expect_found("", launch<Mistake::no_empty_wait>());
}

TEST_F(Mbarrier, FindsEarlyReleases) {
    expect_found("race", launch<Mistake::early_release>(), seeds * 3 / 4);
    // Lane 0 speaks for lanes that have not read yet.
    expect_found("race", launch<Mistake::no_sync_before_release>());
}

TEST_F(Mbarrier, FindsWrongByteCounts) {
    expect_found("lacks 0 arrivals and 16 bytes]", launch<Mistake::expects_too_much>());
    expect_found("mbarrier", launch<Mistake::expects_too_little>());
}

TEST_F(Mbarrier, FindsMistakesAtInitialisation) {
    expect_found("without fence_mbarrier_init", launch<Mistake::no_init_fence>());
    expect_found("mbarrier", launch<Mistake::no_barrier_after_init>());
}

TEST_F(Mbarrier, FindsArrivalsBeyondTheCount) {
    expect_found("mbarrier", launch<Mistake::one_arrival_too_many>());
}

template <bool Sync>
__global__ void refill_own_stage(const uint32_t* in, uint32_t* out) {
    LK_SHARED(Ring, ring);
    const uint32_t lane = threadIdx.x;
    if (lane == 0) {
        cuda::mbarrier_init(&ring.full[0], 1);
        cuda::fence_mbarrier_init();
    }
    cuda::warp_sync();
    uint32_t sum = 0;
    for (int round = 0; round < rounds; ++round) {
        if (lane == 0) {
            cuda::mbarrier_arrive_expect_tx(&ring.full[0], words * 4);
            cuda::bulk_load(ring.stage[0], in + round * words, words * 4, &ring.full[0]);
        }
        cuda::mbarrier_wait(&ring.full[0], uint32_t(round) % 2);
        sum += ring.stage[0][lane];
        if constexpr (Sync) cuda::warp_sync();
    }
    out[lane] = sum;
}

TEST_F(Mbarrier, FindsAWarpsOwnRefillWithoutWarpSync) {
    expect_silent(
        [&](const Options& options) { return run(refill_own_stage<true>, {}, options, in.data(), out.data()); });
    expect_found("writes shared memory", [&](const Options& options) {
        return run(refill_own_stage<false>, {}, options, in.data(), out.data());
    });
}

__global__ void use_uninitialised() {
    LK_SHARED(uint64_t, barrier);
    cuda::mbarrier_arrive(&barrier);
}

__global__ void initialise_twice() {
    LK_SHARED(uint64_t, barrier);
    cuda::mbarrier_init(&barrier, 1);
    cuda::mbarrier_init(&barrier, 1);
}

__global__ void initialise_again_after_invalidating(uint32_t* out) {
    LK_SHARED(uint64_t, barrier);
    for (int i = 0; i < 3; ++i) {
        cuda::mbarrier_init(&barrier, 1);
        cuda::mbarrier_arrive(&barrier);
        out[i] = cuda::mbarrier_test(&barrier, 0) && !cuda::mbarrier_test(&barrier, 1);
        cuda::mbarrier_invalidate(&barrier);
    }
}

TEST_F(Mbarrier, KnowsWhichLive) {
    expect_found("no mbarrier has been initialised",
                 [&](const Options& options) { return run(use_uninitialised, {.block = 1}, options); });
    expect_found("initialises the living mbarrier",
                 [&](const Options& options) { return run(initialise_twice, {.block = 1}, options); });
    expect_silent([&](const Options& options) {
        return run(initialise_again_after_invalidating, {.block = 1}, options, out.data());
    });
    EXPECT_EQ((std::vector<uint32_t>(out.data(), out.data() + 3)), (std::vector<uint32_t>{1, 1, 1}));
}

__global__ void poll_for_ever() {
    LK_SHARED(uint64_t, barrier);
    cuda::mbarrier_init(&barrier, 1);
    while (!cuda::mbarrier_test(&barrier, 0)) {
    }
}

TEST_F(Mbarrier, EndsPollingThatCannotSucceed) {
    const LaunchReport report = run(poll_for_ever, {.block = 1}, {});
    EXPECT_NE(text_of(report).find("live-lock"), std::string::npos) << text_of(report);
}

enum class StoreMistake { none, no_fence, overwrite, no_wait, no_commit };

template <StoreMistake Planted>
__global__ void store_in_bulk(uint32_t* out) {
    LK_SHARED(Ring, ring);
    const uint32_t lane = threadIdx.x;
    for (uint32_t round = 0; round < 3; ++round) {
        ring.stage[0][lane] = round * 100 + lane;
        if constexpr (Planted != StoreMistake::no_fence) cuda::fence_proxy_async_shared();
        cuda::warp_sync();
        if (lane == 0) {
            cuda::bulk_store(out + round * words, ring.stage[0], words * 4);
            if constexpr (Planted != StoreMistake::no_commit) cuda::bulk_commit();
            if constexpr (Planted != StoreMistake::overwrite && Planted != StoreMistake::no_wait) {
                cuda::bulk_wait_read<0>();
            }
        }
        cuda::warp_sync();
        if constexpr (Planted == StoreMistake::no_wait) break;
    }
    if (Planted != StoreMistake::no_wait && lane == 0) cuda::bulk_wait<0>();
}

TEST_F(Mbarrier, StoresInBulk) {
    const auto target = Array<uint32_t>::uninitialised(3 * words);
    const auto launch = [&](auto kernel) {
        return [&, kernel](const Options& options) { return run(kernel, {}, options, target.data()); };
    };
    expect_silent(launch(store_in_bulk<StoreMistake::none>));
    for (uint32_t i = 0; i < 3 * words; ++i) EXPECT_EQ(target.read()[i], i / words * 100 + i % words);
    expect_found("without fence_proxy_async", launch(store_in_bulk<StoreMistake::no_fence>));
    expect_found("in-flight overwrite", launch(store_in_bulk<StoreMistake::overwrite>));
    expect_found("missing wait", launch(store_in_bulk<StoreMistake::no_wait>));
    expect_found("in-flight overwrite", launch(store_in_bulk<StoreMistake::no_commit>));
}

}  // namespace
}  // namespace lk::emulated::testing
