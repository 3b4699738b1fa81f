// Tiles in shared memory, and the product of two of them: the inner part of every kernel that multiplies.
// Tensor cores take their place for speed; this is the plain form, in fp32 throughout.
#pragma once

#include "core/memory.h"
#include "matmul/cuda/elements.cuh"
#include "packing/cuda/decode.cuh"
#include "platform/cuda/barrier.cuh"

namespace lk::cuda {

// Threads of a block, in every kernel that uses tiles.
inline constexpr int kTileThreads = 64;

// k that is staged at a time. Sums are promoted this often: no chain of additions is longer.
inline constexpr int kTileDepth = 128;

// Rows of fp32, k running fastest. 4 elements more than are used: equal k of different rows lie in different banks.
template <int Rows>
struct alignas(16) Tile {
    float values[Rows][kTileDepth + 4];
};

// k of a tile that are computed with: whole eights, zeros behind the last.
__device__ __forceinline__ int padded_depth(int64_t in_features, int64_t first_k) {
    const int64_t left = in_features - first_k;
    return left < kTileDepth ? int(round_up(left, 8)) : kTileDepth;
}

// Rows to fp32: row(r) points at the first element of row r. Elements are taken in the given order of k, if there is
// one.
template <int Rows, class RowOf>
__device__ __forceinline__ void stage_rows(Tile<Rows>& tile, int count, int64_t in_features, int64_t first_k,
                                           const RowOf& row, const int32_t* order = nullptr) {
    const int depth = padded_depth(in_features, first_k);
    for (int r = 0; r < count; ++r) {
        const auto* elements = row(r);
        for (int i = int(threadIdx.x); i < depth; i += kTileThreads) {
            const int64_t k = first_k + i;
            float value = 0;
            if (k < in_features) value = widen(elements[order == nullptr ? k : order[k]]);
            tile.values[r][i] = value;
        }
    }
}

// A panel of W, decoded. What it does not have is 0.
__device__ __forceinline__ void stage_panel(Tile<FragmentLayout::kRows>& tile, const FragmentView& weight,
                                            const ValueTable& table, int64_t panel, int64_t first_k) {
    const FragmentLayout& layout = weight.layout;
    const int64_t first_block = first_k / FragmentLayout::kBlockDepth;
    const int64_t left = layout.blocks() - first_block;
    const int blocks =
        left < kTileDepth / FragmentLayout::kBlockDepth ? int(left) : kTileDepth / FragmentLayout::kBlockDepth;
    const uint4* const codes =
        reinterpret_cast<const uint4*>(weight.codes) + (panel * layout.blocks() + first_block) * 32;
    for (int i = int(threadIdx.x); i < blocks * 32; i += kTileThreads) {
        const int lane = i % 32;
        const int depth = i / 32 * FragmentLayout::kBlockDepth + lane % 4 * 8;
        float decoded[4][8];
        with_arrangement(weight, [&]<Arrangement A, bool Straddles>() {
            LaneScales<Straddles> scales;
            scales.load(weight, weight.codec.scale_kind, panel, uint32_t(first_block + i / 32), uint32_t(lane));
            decode_lane<A, Straddles>(table, scales, codes[i], decoded);
        });
#pragma unroll
        for (int quarter = 0; quarter < 4; ++quarter) {
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                if (first_k + depth + j >= layout.in_features) decoded[quarter][j] = 0;
            }
            float4* const place = reinterpret_cast<float4*>(&tile.values[lane / 4 + 8 * quarter][depth]);
            place[0] = {decoded[quarter][0], decoded[quarter][1], decoded[quarter][2], decoded[quarter][3]};
            place[1] = {decoded[quarter][4], decoded[quarter][5], decoded[quarter][6], decoded[quarter][7]};
        }
    }
}

// sums[i][j] += a[row + i * RowStep] . b[column + j * ColumnStep] over the tiles' depth, for the first `rows` of i.
// k ascends, whatever the number of rows.
template <int R, int C, int RowStep, int ColumnStep, class A, class B>
__device__ __forceinline__ void add_products(const A& a, const B& b, int row, int column, int rows, int depth,
                                             float (&sums)[R][C]) {
    for (int k = 0; k < depth; k += 4) {
        float4 right[C];
#pragma unroll
        for (int j = 0; j < C; ++j) {
            right[j] = *reinterpret_cast<const float4*>(&b.values[column + j * ColumnStep][k]);
        }
#pragma unroll
        for (int i = 0; i < R; ++i) {
            if (i >= rows) continue;
            const float4 left = *reinterpret_cast<const float4*>(&a.values[row + i * RowStep][k]);
#pragma unroll
            for (int j = 0; j < C; ++j) {
                float sum = sums[i][j];
                sum = fma_rn(left.x, right[j].x, sum);
                sum = fma_rn(left.y, right[j].y, sum);
                sum = fma_rn(left.z, right[j].z, sum);
                sum = fma_rn(left.w, right[j].w, sum);
                sums[i][j] = sum;
            }
        }
    }
}

}  // namespace lk::cuda
