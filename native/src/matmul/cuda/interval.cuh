// The inner part of the decode kernel: a record of a panel times up to eight tokens.
#pragma once

#include "matmul/cuda/values.cuh"
#include "platform/cuda/convert.cuh"
#include "platform/cuda/mma.cuh"

namespace lk::cuda {

// Sums of a lane: [m16 tile][register of mma's result]. Row 16 * tile + g (registers 0, 1) and + 8 (2, 3), tokens 2t
// and 2t + 1.
using LaneSums = float[2][4];

__device__ __forceinline__ void step_of(const uint4& tokens, int step, uint32_t (&b)[2]) {
    b[0] = step == 0 ? tokens.x : tokens.z;
    b[1] = step == 0 ? tokens.y : tokens.w;
}

// totals += an interval of Depth k, whole k-blocks.
//   codes, tokens   a lane's words and elements of x, of the k-blocks
//   scales          of the interval, at the lane's rows
//   lane_offset     lane * 4, for tables
//   constant        -(zero) for Correction::constant, ones for Correction::offsets
template <class Values, class T, Correction C, int Depth>
__device__ __forceinline__ void add_interval(const uint4* codes, const uint4* tokens, const float4* scales,
                                             uint32_t lane_offset, const uint32_t (&constant)[4], LaneSums& totals) {
    constexpr int kSteps = Depth / 16;
    LaneSums products = {};
    float token_sums[4] = {};
#pragma unroll
    for (int i = 0; i < kSteps; ++i) {
        const int step = i % 2;
        const uint4& word = codes[i / 2];
        uint32_t b[2];
        step_of(tokens[i / 2], step, b);
        if constexpr (C == Correction::offsets) mma_m16n8k16<T>(token_sums, constant, b, token_sums);
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
            if constexpr (C == Correction::constant) mma_m16n8k16<T>(products[tile], constant, b, products[tile]);
            uint32_t a[4];
            const uint32_t lower = tile == 0 ? word.x : word.z;
            const uint32_t upper = tile == 0 ? word.y : word.w;
            Values::fragment(step == 0 ? lower : upper, lane_offset, a);
            mma_m16n8k16<T>(products[tile], a, b, products[tile]);
        }
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
    if constexpr (C == Correction::offsets) {
        const float4 offset = scales[FragmentLayout::kRows / 4];
        const float row_offset[4] = {offset.x, offset.y, offset.z, offset.w};
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                totals[tile][i] = fma_rn(row_offset[2 * tile + i / 2], token_sums[i % 2], totals[tile][i]);
            }
        }
    }
}

// totals += k-blocks whose codes are multiplied by their scales before they go through tensor cores. `scales` are pairs
// of 16-bit floats, of the group that the lane's codes of the first block belong to; groups are 16 k, lanes with t < 2
// have the first of a block's two.
template <class Values, class T, int Blocks>
__device__ __forceinline__ void add_scaled_blocks(const uint4* codes, const uint4* tokens, const uint4* scales,
                                                  LaneSums& totals) {
    constexpr int kBlockGroups = 2 * FragmentLayout::kRows / 4;
    LaneSums products = {};
#pragma unroll
    for (int block = 0; block < Blocks; ++block) {
        const uint4 pairs = scales[block * kBlockGroups];
#pragma unroll
        for (int step = 0; step < 2; ++step) {
            uint32_t b[2];
            step_of(tokens[block], step, b);
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
    }
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) totals[tile][i] += products[tile][i];
    }
}

}  // namespace lk::cuda
