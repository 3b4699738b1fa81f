// Where the sums of K's slices meet. The slices of an element are added in ascending order, ((s0 + s1) + s2) + ..., be
// it by the block that walks them all or by the last of the blocks that have one each: the bits are the same.
#pragma once

#include "matmul/cuda/batch_multiply.cuh"
#include "platform/cuda/atomic.cuh"
#include "platform/cuda/barrier.cuh"

namespace lk::cuda {

// A thread's sums of a tile in global memory: vectors of 16 bytes, those of a block's threads side by side.
template <class Shape>
struct StoredSums {
    static constexpr int kVectors = Shape::kColumnTiles * 2;  // of a thread
    static constexpr int kTileVectors = kVectors * Shape::kThreads;

    __device__ __forceinline__ static void store(float4* tile, const TileSums<Shape>& sums) {
#pragma unroll
        for (int i = 0; i < kVectors; ++i) {
            const float(&s)[4] = sums[i / 2][i % 2];
            tile[i * Shape::kThreads + int(threadIdx.x)] = {s[0], s[1], s[2], s[3]};
        }
    }

    // sums = what is stored + sums.
    __device__ __forceinline__ static void add_to(const float4* tile, TileSums<Shape>& sums) {
#pragma unroll
        for (int i = 0; i < kVectors; ++i) {
            const float4 stored = tile[i * Shape::kThreads + int(threadIdx.x)];
            float(&s)[4] = sums[i / 2][i % 2];
            s[0] = add_rn(stored.x, s[0]);
            s[1] = add_rn(stored.y, s[1]);
            s[2] = add_rn(stored.z, s[2]);
            s[3] = add_rn(stored.w, s[3]);
        }
    }
};

// Every block of a tile calls it with the sums of its slice. True in the last one to arrive, for which `sums` becomes
// those of all slices. The counter is 0 before the first and after the last.
template <class Shape>
__device__ __forceinline__ bool add_slices(float4* tile_slices, uint32_t* arrivals, int slice, int slices,
                                           TileSums<Shape>& sums) {
    LK_SHARED(bool, is_last);
    using Stored = StoredSums<Shape>;
    Stored::store(tile_slices + int64_t(slice) * Stored::kTileVectors, sums);
    block_sync();
    if (threadIdx.x == 0) {
        is_last = atomic_add_acq_rel(arrivals, 1) == uint32_t(slices) - 1;
        if (is_last) atomic_exchange(arrivals, 0u);
    }
    block_sync();
    if (!is_last) return false;
    for_each_sum<Shape>(sums, [](float& sum) { sum = 0; });
    for (int s = 0; s < slices; ++s) Stored::add_to(tile_slices + int64_t(s) * Stored::kTileVectors, sums);
    return true;
}

}  // namespace lk::cuda
