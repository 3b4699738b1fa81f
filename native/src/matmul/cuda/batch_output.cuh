// From a tile's sums to elements of y: bias, one rounding, and rows of 16-byte vectors.
#pragma once

#include "matmul/cuda/batch_multiply.cuh"
#include "matmul/cuda/epilogue.cuh"
#include "platform/cuda/barrier.cuh"

namespace lk::cuda {

// Rounded elements, token by token, before they go to y. Rows are 16 bytes longer than a tile's: the threads of a warp
// write to different banks.
template <class T, class Shape>
struct OutputTile {
    T elements[Shape::kTokens][Shape::kRows + 8];
};

template <class T, class Shape>
__device__ __forceinline__ void round_tile(OutputTile<T, Shape>& out, const MatmulArguments& arguments,
                                           int64_t first_row, const TileSums<Shape>& sums) {
    const int lane = int(lane_id());
    const int warp = int(threadIdx.x) / 32;
    const int row = warp % Shape::kPanels * FragmentLayout::kRows + lane / 4;
    const int token = warp / Shape::kPanels * Shape::kColumnTiles * 8 + lane % 4 * 2;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int r = row + tile * 16 + half * 8;
            if (first_row + r >= arguments.y.columns) continue;
            const float bias = bias_at(arguments, first_row + r);
#pragma unroll
            for (int column = 0; column < Shape::kColumnTiles; ++column) {
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    store_rounded(&out.elements[token + column * 8 + i][r], sums[column][tile][half * 2 + i] + bias);
                }
            }
        }
    }
}

// An element as it is stored: computed again where fp32 sums have overflowed.
template <class T>
__device__ __forceinline__ T repaired(const MatmulArguments& arguments, int64_t token, int64_t n, T rounded) {
    const float value = widen(rounded);
    if (is_finite(value)) return rounded;
    return round_to<T>(undo_overflow<T>(arguments, token, n, value));
}

// Columns of y from first_row on: rows of W.
template <class T, class Shape>
__device__ __forceinline__ void store_tile(OutputTile<T, Shape>& out, const MatmulArguments& arguments,
                                           int64_t first_row, int first_token) {
    constexpr int kVectorElements = 8;
    constexpr int kVectors = Shape::kRows / kVectorElements;  // of a token
    const lk_matrix& y = arguments.y;
    const bool aligned = reinterpret_cast<uintptr_t>(y.data) % 16 == 0 && y.row_stride % kVectorElements == 0;
#pragma unroll 1
    for (int i = int(threadIdx.x); i < Shape::kTokens * kVectors; i += Shape::kThreads) {
        const int token = first_token + i / kVectors;
        const int64_t n = first_row + i % kVectors * kVectorElements;
        if (token >= arguments.tokens.count) continue;
        T* const from = &out.elements[i / kVectors][i % kVectors * kVectorElements];
        // Behind y's last column 0 or less.
        const int count = y.columns - n < kVectorElements ? int(y.columns - n) : kVectorElements;
#pragma unroll 1
        for (int j = 0; j < count; ++j) {
            const T element = repaired(arguments, token, n + j, from[j]);
            from[j] = element;
        }
        T* const to = row_of<T>(y, token) + n;
        if (aligned && count == kVectorElements) {
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
        } else {
            for (int j = 0; j < count; ++j) to[j] = from[j];
        }
    }
}

}  // namespace lk::cuda
