// The portable path's inner product: rows of x against decoded columns.
#pragma once

#include "platform/cpu/simd128.h"

namespace lk::cpu {
namespace {

// totals[r][c] += x_rows[r] . columns[c] for R rows and 4 columns; depth is a multiple of 4. The four lanes of a sum
// are added up at the end of the block, so that no chain is longer than a block and every element's sum has one order,
// whatever R is.
template <int R>
inline void dot_rows(const float* const* x_rows, const float* columns, int64_t column_stride, int64_t depth,
                     float* totals, int64_t totals_stride) {
    f32x4 sums[R][4] = {};
    for (int64_t k = 0; k < depth; k += 4) {
        f32x4 w[4];
        for (int c = 0; c < 4; ++c) w[c] = load<f32x4>(columns + c * column_stride + k);
        for (int r = 0; r < R; ++r) {
            const f32x4 x = load<f32x4>(x_rows[r] + k);
            for (int c = 0; c < 4; ++c) sums[r][c] += x * w[c];
        }
    }
    for (int r = 0; r < R; ++r) {
        for (int c = 0; c < 4; ++c) totals[r * totals_stride + c] += sum(sums[r][c]);
    }
}

// The same for any number of rows, `column_count` a multiple of 4. x_rows point at the block's first k.
inline void dot_block(const float* const* x_rows, int64_t row_count, const float* columns, int64_t column_count,
                      int64_t column_stride, int64_t depth, float* totals, int64_t totals_stride) {
    int64_t row = 0;
    for (; row + 2 <= row_count; row += 2) {
        for (int64_t c = 0; c < column_count; c += 4) {
            dot_rows<2>(x_rows + row, columns + c * column_stride, column_stride, depth,
                        totals + row * totals_stride + c, totals_stride);
        }
    }
    if (row < row_count) {
        for (int64_t c = 0; c < column_count; c += 4) {
            dot_rows<1>(x_rows + row, columns + c * column_stride, column_stride, depth,
                        totals + row * totals_stride + c, totals_stride);
        }
    }
}

}  // namespace
}  // namespace lk::cpu
