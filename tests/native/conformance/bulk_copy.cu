// Bulk copies of one block of memory, with the mbarrier's byte counts.
#include "conformance/checks.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/bulk_copy.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 64;

// Loads in two parts, the second with a hint, adds 1 to each word, and stores in two groups.
__global__ void round_trip_kernel(const uint32_t* source, uint32_t words, uint32_t first_bytes, uint32_t* results) {
#if LK_HAS_BULK_COPY
    LK_DYNAMIC_SHARED(uint32_t, shared);
    LK_SHARED(uint64_t, full);
    const uint32_t bytes = words * 4;
    if (threadIdx.x == 0) {
        bulk_prefetch(source, bytes);
        mbarrier_init(&full, 2);
        fence_mbarrier_init();
    }
    block_sync();
    if (threadIdx.x < 32 && elect_one()) {
        mbarrier_expect_tx(&full, first_bytes);
        bulk_load(shared, source, first_bytes, &full);
        mbarrier_arrive(&full);
        mbarrier_arrive_expect_tx(&full, bytes - first_bytes);
        bulk_load(shared + first_bytes / 4, source + first_bytes / 4, bytes - first_bytes, &full, evict_first());
    }
    mbarrier_wait(&full, 0);
    for (uint32_t i = threadIdx.x; i < words; i += threads) shared[i] += 1;
    fence_proxy_async_shared();
    block_sync();
    if (threadIdx.x < 32 && elect_one()) {
        bulk_store(results, shared, first_bytes);
        bulk_commit();
        bulk_store(results + first_bytes / 4, shared + first_bytes / 4, bytes - first_bytes);
        bulk_commit();
        bulk_wait_read<0>();
        bulk_wait<0>();
    }
#else
    unsupported_architecture();
#endif
}

void check_round_trip(Bench& bench) {
    struct Size {
        uint32_t words, first_bytes;
    };
    for (const Size size : {Size{8, 16}, Size{64, 32}, Size{1024, 4080}, Size{8192, 16384}}) {
        const auto source = random_values<uint32_t>(bench, size.words, 0, 0xfffffffe);
        std::vector<uint32_t> expected(source);
        for (uint32_t& word : expected) word += 1;
        const auto device_source = bench.copy(source);
        const auto results = bench.zeros<uint32_t>(expected.size());
        bench.launch({.threads = threads, .shared_bytes = size.words * 4}, round_trip_kernel, device_source.data(),
                     size.words, size.first_bytes, results.data());
        expect_equal("words", results.read(), expected);
    }
}

// A warp refills its own ring: reads of a stage, warp_sync, the next copy into it. The staged results leave by bulk
// stores whose source is written again once they have read it.
__global__ void ring_kernel(const uint32_t* source, uint32_t tiles, uint32_t* results) {
#if LK_HAS_BULK_COPY
    constexpr uint32_t stages = 3, words = 128;
    using Ring = uint32_t[stages][words];
    using Staged = uint32_t[words];
    using Barriers = uint64_t[stages];
    LK_DYNAMIC_SHARED(Ring, ring_memory);
    LK_SHARED(Barriers, full);
    Ring& ring = *ring_memory;
    Staged& staged = *reinterpret_cast<Staged*>(ring_memory + 1);
    const uint32_t lane = lane_id();
    if (elect_one()) {
        for (uint32_t stage = 0; stage < stages; ++stage) mbarrier_init(&full[stage], 1);
        fence_mbarrier_init();
    }
    warp_sync();
    const auto load = [&](uint32_t tile) {
        mbarrier_arrive_expect_tx(&full[tile % stages], words * 4);
        bulk_load(ring[tile % stages], source + tile * words, words * 4, &full[tile % stages]);
    };
    if (elect_one()) {
        for (uint32_t tile = 0; tile < stages && tile < tiles; ++tile) load(tile);
    }
    for (uint32_t tile = 0; tile < tiles; ++tile) {
        mbarrier_wait(&full[tile % stages], tile / stages & 1);
        uint32_t values[words / 32];
        for (uint32_t i = 0; i < words / 32; ++i) values[i] = ring[tile % stages][words - 1 - (i * 32 + lane)];
        if (elect_one()) bulk_wait_read<0>();
        warp_sync();
        if (elect_one() && tile + stages < tiles) load(tile + stages);
        for (uint32_t i = 0; i < words / 32; ++i) staged[i * 32 + lane] = values[i] * 3;
        fence_proxy_async_shared();
        warp_sync();
        if (elect_one()) {
            bulk_store(results + tile * words, staged, words * 4);
            bulk_commit();
        }
    }
    if (elect_one()) bulk_wait<0>();
#else
    unsupported_architecture();
#endif
}

void check_ring(Bench& bench) {
    constexpr uint32_t words = 128;
    for (const uint32_t tiles : {1u, 3u, 4u, 10u}) {
        const auto source = random_values<uint32_t>(bench, tiles * words, 0, 0xffffffff);
        std::vector<uint32_t> expected(source.size());
        for (uint32_t i = 0; i < expected.size(); ++i) {
            expected[i] = source[i / words * words + words - 1 - i % words] * 3;
        }
        const auto device_source = bench.copy(source);
        const auto results = bench.zeros<uint32_t>(expected.size());
        bench.launch({.shared_bytes = 4 * words * 4}, ring_kernel, device_source.data(), tiles, results.data());
        expect_equal("words", results.read(), expected);
    }
}

}  // namespace

std::vector<Check> bulk_copy_checks() {
    return {
        {"bulk loads and stores", 90, check_round_trip},
        {"bulk ring of one warp", 90, check_ring},
    };
}

}  // namespace lk::conformance
