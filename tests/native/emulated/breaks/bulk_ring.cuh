// Warps that stream through memory by bulk copies, each refilling a ring of its own, as decode kernels for sm_90 do.
// results[tile][i] = 3 · source[tile][words − 1 − i].
#pragma once

#include "breaks/bugs.h"
#include "platform/cuda/bulk_copy.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/grid.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::breaks::bulk_ring {

using namespace cuda;

constexpr uint32_t stages = 3;
constexpr uint32_t words = 128;  // of a tile
constexpr uint32_t tile_bytes = words * 4;
constexpr uint32_t warps = 2;

struct alignas(16) Warp {
    uint32_t ring[stages][words];
    uint32_t staging[words];
    uint64_t full[stages];
};
constexpr uint32_t shared_bytes = warps * sizeof(Warp);

template <Bug bug>
__global__ void __launch_bounds__(warps * 32) kernel(const uint32_t* source, uint32_t tiles, uint32_t* results) {
    LK_DYNAMIC_SHARED(Warp, shared);
    Warp& mine = shared[threadIdx.x / 32];
    const uint32_t lane = lane_id();
    const uint32_t first = blockIdx.x * warps + threadIdx.x / 32;
    const uint32_t step = gridDim.x * warps;  // tiles of this warp: first, first + step, …
    if (elect_one()) {
        for (uint64_t& full : mine.full) mbarrier_init(&full, 1);
        fence_mbarrier_init();
    }
    warp_sync();
    if constexpr (bug != Bug::no_grid_dependency_wait) grid_dependency_wait();

    const auto load = [&](uint32_t round) {
        uint64_t* full = &mine.full[round % stages];
        if constexpr (bug == Bug::bytes_never_expected) {
            mbarrier_arrive(full);
        } else {
            mbarrier_arrive_expect_tx(full, tile_bytes);
        }
        bulk_load(mine.ring[round % stages], source + (first + round * step) * words, tile_bytes, full);
    };
    const uint32_t rounds = first < tiles ? (tiles - first + step - 1) / step : 0;
    if (elect_one()) {
        for (uint32_t round = 0; round < stages && round < rounds; ++round) load(round);
    }
    for (uint32_t round = 0; round < rounds; ++round) {
        const uint32_t* stage = mine.ring[round % stages];
        uint32_t parity = round / stages & 1;
        if constexpr (bug == Bug::wrong_parity_of_ring) parity = round & 1;
        if constexpr (bug != Bug::no_wait_for_bytes) mbarrier_wait(&mine.full[round % stages], parity);
        const auto refill = [&] {
            if (elect_one() && round + stages < rounds) load(round + stages);
        };
        if constexpr (bug == Bug::refill_before_read) refill();
        uint32_t values[words / 32];
        for (uint32_t i = 0; i < words / 32; ++i) values[i] = stage[words - 1 - (i * 32 + lane)];
        if constexpr (bug != Bug::no_wait_before_staging) {
            if (elect_one()) bulk_wait_read<0>();
        }
        if constexpr (bug != Bug::no_warp_sync_before_refill) warp_sync();
        if constexpr (bug != Bug::refill_before_read) refill();
        if constexpr (bug == Bug::no_warp_sync_before_refill) warp_sync();
        for (uint32_t i = 0; i < words / 32; ++i) mine.staging[i * 32 + lane] = values[i] * 3;
        if constexpr (bug != Bug::no_proxy_fence_in_ring) fence_proxy_async_shared();
        if constexpr (bug != Bug::no_warp_sync_before_bulk_store) warp_sync();
        if (elect_one()) {
            bulk_store(results + (first + round * step) * words, mine.staging, tile_bytes);
            bulk_commit();
        }
    }
    if (elect_one()) bulk_wait<0>();
}

}  // namespace lk::breaks::bulk_ring
