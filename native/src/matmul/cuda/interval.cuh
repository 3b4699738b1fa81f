// The inner part of the decode kernel: a record of a panel times up to eight tokens.
#pragma once

#include "matmul/cuda/values.cuh"
#include "platform/cuda/convert.cuh"
#include "platform/cuda/mma.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {

// 16-byte vectors of a token in a k-block.
inline constexpr int kBlockVectors = FragmentLayout::kBlockDepth / 8;

// Sums of a lane: [m16 tile][register of mma's result]. Row 16 * tile + g (registers 0, 1) and + 8 (2, 3), tokens 2t
// and 2t + 1.
using LaneSums = float[2][4];

__device__ __forceinline__ void step_of(const uint4& tokens, int step, uint32_t (&b)[2]) {
    b[0] = step == 0 ? tokens.x : tokens.z;
    b[1] = step == 0 ? tokens.y : tokens.w;
}

// totals += an interval of Depth k, whole k-blocks.
//   codes        a lane's words
//   tokens       elements of x, from a k-block to the next kBlockVectors
//   scales       of the interval, at the lane's rows
//   sums         TokenSums of the interval, at the lane's tokens
//   lane_offset  lane * 4, for tables
//   done         called with a block of the interval when its codes are needed no more
template <class Values, class T, Correction C, int Depth, class Done>
__device__ __forceinline__ void add_interval(const uint4* codes, const uint4* tokens, const float4* scales,
                                             const float* sums, uint32_t lane_offset, LaneSums& totals, Done&& done) {
    LaneSums products = {};
    if constexpr (C == Correction::constant) {
        const float4 first = *reinterpret_cast<const float4*>(sums);
#pragma unroll
        for (auto& tile : products) {
            tile[0] = first.x;
            tile[1] = first.y;
            tile[2] = first.z;
            tile[3] = first.w;
        }
    }
    if constexpr (C == Correction::offsets) {
        // First, and apart from what follows: behind the products there would be no registers for it.
        const float2 token_sums = *reinterpret_cast<const float2*>(sums);
        const float4 offset = scales[FragmentLayout::kRows / 4];
        const float row_offset[4] = {offset.x, offset.y, offset.z, offset.w};
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                totals[tile][i] =
                    fma_rn(row_offset[2 * tile + i / 2], i % 2 == 0 ? token_sums.x : token_sums.y, totals[tile][i]);
            }
        }
        warp_sync();
    }
#pragma unroll
    for (int block = 0; block < Depth / FragmentLayout::kBlockDepth; ++block) {
        const uint4 present = tokens[block * kBlockVectors];
        const uint4& word = codes[block];
#pragma unroll
        for (int step = 0; step < 2; ++step) {
            uint32_t b[2];
            step_of(present, step, b);
#pragma unroll
            for (int tile = 0; tile < 2; ++tile) {
                uint32_t a[4];
                const uint32_t lower = tile == 0 ? word.x : word.z;
                const uint32_t upper = tile == 0 ? word.y : word.w;
                Values::fragment(step == 0 ? lower : upper, lane_offset, a);
                mma_m16n8k16<T>(products[tile], a, b, products[tile]);
            }
        }
        done(block);
    }
    const float4 scale = scales[0];
    const float row_scale[4] = {scale.x, scale.y, scale.z, scale.w};
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            totals[tile][i] = fma_rn(row_scale[2 * tile + i / 2], products[tile][i], totals[tile][i]);
        }
    }
}

// totals += k-blocks whose codes are multiplied by their scales before they go through tensor cores. `scales` are pairs
// of 16-bit floats, of the group that the lane's codes of the first block belong to; groups are 16 k, lanes with t < 2
// have the first of a block's two.
template <class Values, class T, int Blocks, class Done>
__device__ __forceinline__ void add_scaled_blocks(const uint4* codes, const uint4* tokens, const uint4* scales,
                                                  LaneSums& totals, Done&& done) {
    constexpr int kBlockGroups = 2 * FragmentLayout::kRows / 4;
    LaneSums products = {};
#pragma unroll
    for (int block = 0; block < Blocks; ++block) {
        const uint4 pairs = scales[block * kBlockGroups];
        const uint4 present = tokens[block * kBlockVectors];
#pragma unroll
        for (int step = 0; step < 2; ++step) {
            uint32_t b[2];
            step_of(present, step, b);
#pragma unroll
            for (int tile = 0; tile < 2; ++tile) {
                const uint32_t lower = tile == 0 ? codes[block].x : codes[block].z;
                const uint32_t upper = tile == 0 ? codes[block].y : codes[block].w;
                uint32_t a[4];
                Values::fragment(step == 0 ? lower : upper, tile == 0 ? pairs.x : pairs.z,
                                 tile == 0 ? pairs.y : pairs.w, a);
                mma_m16n8k16<T>(products[tile], a, b, products[tile]);
            }
        }
        done(block);
    }
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) totals[tile][i] += products[tile][i];
    }
}

}  // namespace lk::cuda
