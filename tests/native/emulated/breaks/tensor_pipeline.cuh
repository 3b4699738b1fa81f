// A matmul as kernels for sm_90 are written: one warp starts tensor copies into a ring of stages, a warpgroup
// multiplies them with wgmma, mbarriers hand stages over; the result leaves by tensor stores. C[M×N] = A[M×K]·B[N×K]ᵀ,
// fp16 in, fp32 out.
#pragma once

#include "breaks/bugs.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/registers.cuh"
#include "platform/cuda/tensor_copy.cuh"
#include "platform/cuda/warp.cuh"
#include "platform/cuda/wgmma.cuh"

namespace lk::breaks::tensor_pipeline {

using namespace cuda;

constexpr int tile = 64;  // of N and K, and of M for each multiplying warpgroup
constexpr int stages = 2;
constexpr int warpgroup = 128;
constexpr int consumers = 2;                          // warpgroups
constexpr int threads = (consumers + 1) * warpgroup;  // the last one copies
constexpr int tile_m = consumers * tile;
constexpr int store_columns = 32;
constexpr uint32_t stage_bytes = (tile_m + tile) * tile * 2;

struct Shared {
    uint16_t a[stages][tile_m * tile];
    uint16_t b[stages][tile * tile];
    float staging[consumers][tile * store_columns];
};

struct Barriers {
    uint64_t full[stages];   // the copies' bytes
    uint64_t empty[stages];  // one arrival of each consuming warp
};

template <Bug bug>
__device__ __forceinline__ void produce(Shared& shared, Barriers& barriers, const TensorMap& a, const TensorMap& b,
                                        int steps, int m0, int n0) {
    for (int step = 0; step < steps; ++step) {
        const int stage = step % stages;
        if constexpr (bug != Bug::no_wait_for_empty) {
            if (step >= stages) mbarrier_wait(&barriers.empty[stage], (step / stages - 1) & 1);
        }
        uint32_t bytes = stage_bytes;
        if constexpr (bug == Bug::too_few_bytes_expected) bytes = stage_bytes - tile * tile * 2;
        if constexpr (bug == Bug::too_many_bytes_expected) bytes = stage_bytes + 16;
        mbarrier_arrive_expect_tx(&barriers.full[stage], bytes);
        if constexpr (bug == Bug::swapped_coordinates) {
            tensor_load_2d(shared.a[stage], &a, &barriers.full[stage], m0, step * tile);
        } else {
            tensor_load_2d(shared.a[stage], &a, &barriers.full[stage], step * tile, m0);
        }
        tensor_load_2d(shared.b[stage], &b, &barriers.full[stage], step * tile, n0);
    }
}

template <Bug bug>
__device__ __forceinline__ void consume(Shared& shared, Barriers& barriers, float (&sums)[tile / 2], int group,
                                        int steps) {
    const auto release = [&](int stage) {
        if (lane_id() == 0) mbarrier_arrive(&barriers.empty[stage]);
    };
    for (int step = 0; step < steps; ++step) {
        const int stage = step % stages;
        const int parity = step / stages & 1;
        if constexpr (bug == Bug::wrong_parity_of_full) {
            mbarrier_wait(&barriers.full[stage], parity ^ 1);
        } else if constexpr (bug != Bug::no_wait_for_full) {
            mbarrier_wait(&barriers.full[stage], parity);
        }
        if constexpr (bug != Bug::no_wgmma_fence) wgmma_fence();
        for (int k = 0; k < tile; k += 16) {
            const int offset = bug == Bug::wrong_descriptor_step ? k * 4 : k * 2;
            constexpr Swizzle swizzle = bug == Bug::wrong_descriptor_swizzle ? Swizzle::b64 : Swizzle::b128;
            const auto describe = [&](const uint16_t* operand) {
                return shared_descriptor(reinterpret_cast<const char*>(operand) + offset, swizzle, 16, 8 * 128);
            };
            wgmma_m64k16<Half, tile>(sums, describe(shared.a[stage] + group * tile * tile), describe(shared.b[stage]),
                                     step + k > 0);
        }
        if constexpr (bug != Bug::no_wgmma_commit) wgmma_commit();
        if constexpr (bug == Bug::release_before_wait) release(stage);
        if constexpr (bug == Bug::release_of_stage_in_use) {
            wgmma_wait<1>();
        } else if constexpr (bug != Bug::no_wgmma_wait) {
            wgmma_wait<0>();
        }
        if constexpr (bug != Bug::release_before_wait) release(stage);
    }
    if constexpr (bug == Bug::release_of_stage_in_use) wgmma_wait<0>();
    wgmma_pin(sums);
}

// Half of the columns at a time, through one staging buffer for each warpgroup.
template <Bug bug>
__device__ __forceinline__ void store(float* staging, const TensorMap& c, float (&sums)[tile / 2], int group, int m0,
                                      int n0) {
    const int thread = static_cast<int>(threadIdx.x) % warpgroup;
    const int barrier = 1 + group;
    const int row = thread / 32 * 16 + thread % 32 / 4;
    for (int first = 0; first < tile; first += store_columns) {
        if constexpr (bug != Bug::staging_overwritten_early) {
            if (thread == 0) bulk_wait_read<0>();
        }
        barrier_sync(barrier, warpgroup);
        for (int i = 0; i < store_columns / 2; ++i) {
            const int column = i / 4 * 8 + thread % 4 * 2 + i % 2;
            staging[(row + i / 2 % 2 * 8) * store_columns + column] = sums[first / 2 + i];
        }
        if constexpr (bug != Bug::no_proxy_fence_before_store) fence_proxy_async_shared();
        if constexpr (bug != Bug::no_barrier_before_store) barrier_sync(barrier, warpgroup);
        if (thread == 0) {
            tensor_store_2d(&c, staging, n0 + first, m0);
            if constexpr (bug != Bug::no_commit_of_store) bulk_commit();
        }
    }
    if (thread == 0) bulk_wait<0>();
}

template <Bug bug>
__global__ void __launch_bounds__(threads, 1)
    kernel(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b,
           const __grid_constant__ TensorMap c, int k) {
    LK_DYNAMIC_SHARED(Shared, shared);
    LK_SHARED(Barriers, barriers);
    const int m0 = static_cast<int>(blockIdx.y) * tile_m;
    const int n0 = static_cast<int>(blockIdx.x) * tile;
    const int steps = (k + tile - 1) / tile;
    if (threadIdx.x == 0) {
        constexpr uint32_t warps = consumers * warpgroup / 32;
        constexpr uint32_t arrivals = bug == Bug::too_few_arrivals    ? warps - 1
                                      : bug == Bug::too_many_arrivals ? warps + 1
                                                                      : warps;
        for (int stage = 0; stage < stages; ++stage) {
            mbarrier_init(&barriers.full[stage], 1);
            mbarrier_init(&barriers.empty[stage], arrivals);
        }
        if constexpr (bug != Bug::no_fence_after_init) fence_mbarrier_init();
    }
    if constexpr (bug != Bug::no_barrier_after_init) block_sync();
    const int group = static_cast<int>(threadIdx.x) / warpgroup;
    if (group == consumers) {
        registers_decrease<40>();
        if (threadIdx.x / 32 % 4 == 0 && elect_one()) produce<bug>(*shared, barriers, a, b, steps, m0, n0);
    } else {
        registers_increase<232>();
        float sums[tile / 2] = {};
        consume<bug>(*shared, barriers, sums, group, steps);
        store<bug>(shared->staging[group], c, sums, group, m0 + group * tile, n0);
    }
}

}  // namespace lk::breaks::tensor_pipeline
