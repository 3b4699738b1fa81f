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

// The 16 values of a weight's codes, where every thread can look them up.
struct ValueTable {
    float values[16];
};

__device__ __forceinline__ void stage_values(ValueTable& table, const WeightView& weight) {
    if (threadIdx.x < 16) table.values[threadIdx.x] = weight.values[threadIdx.x];
}

// k of a tile that are computed with: whole steps, zeros behind the last.
__device__ __forceinline__ int padded_depth(int64_t in_features, int64_t first_k) {
    const int64_t left = in_features - first_k;
    return left < kTileDepth ? int(round_up(left, PanelLayout::kStepDepth)) : kTileDepth;
}

// Rows to fp32: row(r) points at the first element of row r.
template <int Rows, class RowOf>
__device__ __forceinline__ void stage_rows(Tile<Rows>& tile, int count, int64_t in_features, int64_t first_k,
                                           const RowOf& row) {
    const int depth = padded_depth(in_features, first_k);
    for (int r = 0; r < count; ++r) {
        const auto* elements = row(r) + first_k;
        for (int k = int(threadIdx.x); k < depth; k += kTileThreads) {
            tile.values[r][k] = first_k + k < in_features ? widen(elements[k]) : 0.0f;
        }
    }
}

// A panel of W, decoded. Columns that the last panel does not have are 0.
__device__ __forceinline__ void stage_panel(Tile<PanelLayout::kColumns>& tile, const WeightView& weight,
                                            const ValueTable& table, int64_t panel, int64_t first_k) {
    constexpr int kColumns = int(PanelLayout::kColumns);
    constexpr int kSteps = int(PanelLayout::kStepDepth);
    const int columns = int(weight.layout.columns(panel));
    const int words = padded_depth(weight.layout.in_features, first_k) / kSteps * kColumns;
    for (int i = int(threadIdx.x); i < words; i += kTileThreads) {
        const int column = i % kColumns;
        const int step = i / kColumns;
        float decoded[8] = {};
        if (column < columns) decode_word(weight, table.values, panel, first_k / kSteps + step, column, decoded);
        float4* const place = reinterpret_cast<float4*>(&tile.values[column][step * kSteps]);
        place[0] = {decoded[0], decoded[1], decoded[2], decoded[3]};
        place[1] = {decoded[4], decoded[5], decoded[6], decoded[7]};
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
