// From a tile's sums to elements of y: factors, bias, one rounding, and rows of 16-byte vectors.
#pragma once

#include "matmul/cuda/batch_multiply.cuh"
#include "matmul/cuda/elements.cuh"
#include "platform/cuda/barrier.cuh"

namespace lk::cuda {

// Rounded elements, token by token, before they go to y. Rows are 16 bytes longer than a tile's: the threads of a warp
// write to different banks.
template <class T, class Shape>
struct OutputTile {
    T elements[Shape::kTokens][Shape::kRows + 8];
};

template <class T, class Shape>
__device__ __forceinline__ void round_tile(OutputTile<T, Shape>& out, float factor, const lk_matrix& bias,
                                           int64_t first_row, int64_t rows, const TileSums<Shape>& sums) {
    const int lane = int(lane_id());
    const int warp = int(threadIdx.x) / 32;
    const int row = warp % Shape::kPanels * FragmentLayout::kRows + lane / 4;
    const int token = warp / Shape::kPanels * Shape::kColumnTiles * 8 + lane % 4 * 2;
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int r = row + tile * 16 + half * 8;
            float addend = 0;
            if (bias.data != nullptr && first_row + r < rows) {
                addend = load_element(bias.data, bias.dtype, first_row + r);
            }
#pragma unroll
            for (int column = 0; column < Shape::kColumnTiles; ++column) {
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const float total = mul_rn(sums[column][tile][half * 2 + i], factor);
                    store_rounded(&out.elements[token + column * 8 + i][r], add_rn(total, addend));
                }
            }
        }
    }
}

// Columns of y from first_row on: rows of W.
template <class T, class Shape>
__device__ __forceinline__ void store_tile(const OutputTile<T, Shape>& out, const lk_matrix& y, int64_t first_row,
                                           int64_t first_token) {
    constexpr int kVectorElements = 8;
    constexpr int kVectors = Shape::kRows / kVectorElements;  // of a token
    const bool aligned = reinterpret_cast<uintptr_t>(y.data) % 16 == 0 && y.row_stride % kVectorElements == 0;
    for (int i = int(threadIdx.x); i < Shape::kTokens * kVectors; i += Shape::kThreads) {
        const int64_t token = first_token + i / kVectors;
        const int r = i % kVectors * kVectorElements;
        const int64_t left = y.columns - (first_row + r);
        if (token >= y.rows || left <= 0) continue;
        const T* const from = &out.elements[i / kVectors][r];
        T* const to = row_of<T>(y, token) + first_row + r;
        if (aligned && left >= kVectorElements) {
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
        } else {
            const int count = left < kVectorElements ? int(left) : kVectorElements;
            for (int j = 0; j < count; ++j) to[j] = from[j];
        }
    }
}

}  // namespace lk::cuda
