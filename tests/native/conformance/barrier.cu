// Barriers of a block, named barriers, and mbarriers with threads alone.
#include "conformance/checks.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 128;

// ---- Blocks ---------------------------------------------------------------------------------------------------------

__global__ void block_vote_kernel(const uint32_t* values, uint32_t* results) {
    using Slots = uint32_t[threads];
    LK_SHARED(Slots, slots);
    slots[threadIdx.x] = values[threadIdx.x];
    const bool any_zero = block_sync_or(values[threadIdx.x] == 0);
    const bool all_small = block_sync_and(values[threadIdx.x] < 1000);
    const uint32_t opposite = slots[threads - 1 - threadIdx.x];  // the votes are barriers too
    block_sync();
    slots[threadIdx.x] = opposite;
    block_sync();
    results[threadIdx.x * 3] = any_zero;
    results[threadIdx.x * 3 + 1] = all_small;
    results[threadIdx.x * 3 + 2] = slots[(threadIdx.x + 33) % threads];
}

void check_block(Bench& bench) {
    for (const int kind : {0, 1, 2}) {
        auto values = random_values<uint32_t>(bench, threads, 1, 999);
        if (kind == 1) values[77] = 0;
        if (kind == 2) values[100] = 1000;
        std::vector<uint32_t> expected(threads * 3);
        for (int i = 0; i < threads; ++i) {
            expected[i * 3] = kind == 1;
            expected[i * 3 + 1] = kind != 2;
            expected[i * 3 + 2] = values[threads - 1 - (i + 33) % threads];
        }
        const auto device_values = bench.copy(values);
        const auto results = bench.zeros<uint32_t>(expected.size());
        bench.launch({.threads = threads}, block_vote_kernel, device_values.data(), results.data());
        expect_equal("block_sync_or, block_sync_and, block_sync", results.read(), expected);
    }
}

// ---- Named barriers -------------------------------------------------------------------------------------------------

// Warps 0 and 1 produce, 2 and 3 consume, one round at a time: `full` and `empty` are arrived on by one side and waited
// for by the other. Each side has a barrier of its own, too.
__global__ void named_barrier_kernel(uint32_t* results) {
    constexpr int half = threads / 2;
    constexpr int full = 1, empty = 2, producers = 3, consumers = 4;
    using Slots = uint32_t[half];
    LK_SHARED(Slots, staged);
    LK_SHARED(Slots, slots);
    const int place = static_cast<int>(threadIdx.x) % half;
    if (threadIdx.x < half) {
        for (uint32_t round = 0; round < 5; ++round) {
            staged[place] = round * 100 + static_cast<uint32_t>(place);
            barrier_sync(producers, half);
            const uint32_t value = staged[half - 1 - place];
            barrier_sync(producers, half);
            if (round > 0) barrier_sync(empty, threads);
            slots[place] = value;
            barrier_arrive(full, threads);
        }
    } else {
        uint32_t sum = 0;
        for (uint32_t round = 0; round < 5; ++round) {
            barrier_sync(full, threads);
            sum = sum * 3 + slots[(place + 1) % half];
            if (round < 4) barrier_arrive(empty, threads);
        }
        barrier_sync(consumers, half);
        results[place] = sum;
    }
}

void check_named(Bench& bench) {
    constexpr int half = threads / 2;
    std::vector<uint32_t> expected(half);
    for (int place = 0; place < half; ++place) {
        for (uint32_t round = 0; round < 5; ++round) {
            expected[place] = expected[place] * 3 + round * 100 + uint32_t(half - 1 - (place + 1) % half);
        }
    }
    const auto results = bench.zeros<uint32_t>(half);
    bench.launch({.threads = threads}, named_barrier_kernel, results.data());
    expect_equal("values handed over", results.read(), expected);
}

// ---- mbarriers ------------------------------------------------------------------------------------------------------

// A ring of two slots between one producing and three consuming warps, with phases told apart by parity.
__global__ void mbarrier_kernel(uint32_t rounds, uint32_t* results) {
    constexpr int stages = 2;
    using Slots = uint32_t[stages][32];
    using Barriers = uint64_t[stages];
    LK_SHARED(Slots, slots);
    LK_SHARED(Barriers, full);
    LK_SHARED(Barriers, empty);
    if (threadIdx.x == 0) {
        for (int stage = 0; stage < stages; ++stage) {
            mbarrier_init(&full[stage], 32);
            mbarrier_init(&empty[stage], 96);
        }
        fence_mbarrier_init();
    }
    block_sync();
    const uint32_t lane = lane_id();
    if (threadIdx.x < 32) {
        for (uint32_t round = 0; round < rounds; ++round) {
            const uint32_t stage = round % stages;
            if (round >= stages) mbarrier_wait(&empty[stage], (round / stages - 1) & 1);
            slots[stage][lane] = round * 32 + lane;
            mbarrier_arrive(&full[stage]);
        }
    } else {
        uint32_t sum = 0;
        for (uint32_t round = 0; round < rounds; ++round) {
            const uint32_t stage = round % stages;
            mbarrier_wait(&full[stage], round / stages & 1);
            sum = sum * 5 + slots[stage][31 - lane];
            mbarrier_arrive(&empty[stage]);
        }
        results[threadIdx.x - 32] = sum;
    }
    block_sync();
    if (threadIdx.x == 0) {
        for (int stage = 0; stage < stages; ++stage) {
            mbarrier_invalidate(&full[stage]);
            mbarrier_invalidate(&empty[stage]);
        }
    }
}

void check_mbarrier(Bench& bench) {
    for (const uint32_t rounds : {1u, 2u, 3u, 9u}) {
        std::vector<uint32_t> expected(96);
        for (uint32_t i = 0; i < 96; ++i) {
            for (uint32_t round = 0; round < rounds; ++round) expected[i] = expected[i] * 5 + round * 32 + 31 - i % 32;
        }
        const auto results = bench.zeros<uint32_t>(expected.size());
        bench.launch({.threads = threads}, mbarrier_kernel, rounds, results.data());
        expect_equal("values handed over", results.read(), expected);
    }
}

// What mbarrier_test says of both parities after each of three arrivals, over two phases.
__global__ void mbarrier_phase_kernel(uint32_t* results) {
    LK_SHARED(uint64_t, barrier);
    mbarrier_init(&barrier, 3);
    for (int arrivals = 0; arrivals < 7; ++arrivals) {
        results[2 * arrivals] = mbarrier_test(&barrier, 0);
        results[2 * arrivals + 1] = mbarrier_test(&barrier, 1);
        mbarrier_arrive(&barrier);
    }
}

void check_phases(Bench& bench) {
    // "phaseParity indicates the parity of either the current phase or the immediately preceding phase": the current
    // one is incomplete, the preceding one complete; before the first phase there is one of parity 1.
    std::vector<uint32_t> expected(14);
    for (uint32_t arrivals = 0; arrivals < 7; ++arrivals) {
        const uint32_t current = arrivals / 3 % 2;
        expected[2 * arrivals] = current != 0;
        expected[2 * arrivals + 1] = current != 1;
    }
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.threads = 1}, mbarrier_phase_kernel, results.data());
    expect_equal("complete phases", results.read(), expected);
}

}  // namespace

std::vector<Check> barrier_checks() {
    return {
        {"block barriers", 80, check_block},
        {"named barriers", 80, check_named},
        {"mbarrier ring", 80, check_mbarrier},
        {"mbarrier phases", 80, check_phases},
    };
}

}  // namespace lk::conformance
