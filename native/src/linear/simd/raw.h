// The product of a raw weight on the vector paths: 128 k of a panel are decoded at a time, and lanes run along k.
#pragma once

#include "linear/path.h"
#include "packing/decode_raw.h"
#include "platform/cpu/simd.h"

namespace lk::cpu {
namespace {

constexpr int64_t kRawDepth = 128;
constexpr int kRawColumns = 4;

// totals[r][c] += x[r] . w[c] for Rows rows and kRawColumns columns. The order of a sum does not depend on Rows.
template <int Rows>
inline void dot_raw(const float* const* x, const float (*w)[kRawDepth], int64_t depth,
                    float (*totals)[PanelLayout::kColumns], int64_t column) {
    Floats sums[Rows][kRawColumns];
    for (int r = 0; r < Rows; ++r) {
        for (int c = 0; c < kRawColumns; ++c) sums[r][c] = zero_floats();
    }
    int64_t k = 0;
    for (; k + kLanes <= depth; k += kLanes) {
        Floats values[kRawColumns];
        for (int c = 0; c < kRawColumns; ++c) values[c] = load(w[c] + k);
        for (int r = 0; r < Rows; ++r) {
            const Floats row = load(x[r] + k);
            for (int c = 0; c < kRawColumns; ++c) sums[r][c] = multiply_add(row, values[c], sums[r][c]);
        }
    }
    for (int r = 0; r < Rows; ++r) {
        for (int c = 0; c < kRawColumns; ++c) {
            float total = sum(sums[r][c]);
            for (int64_t i = k; i < depth; ++i) total += x[r][i] * w[c][i];
            totals[r][column + c] += total;
        }
    }
}

inline void add_raw_product(const lk_weight& weight, int64_t panel, const PreparedRows& x, int64_t begin, int64_t rows,
                            float (*totals)[PanelLayout::kColumns]) {
    constexpr int kRows = kLanes == 16 ? 4 : 2;
    const int64_t in_features = weight.layout.in_features;
    const int64_t stride = padded_depth(in_features);
    // Columns that are not there stay 0.
    alignas(64) float decoded[PanelLayout::kColumns][kRawDepth] = {};
    for (int64_t first_k = 0; first_k < in_features; first_k += kRawDepth) {
        const int64_t depth = in_features - first_k < kRawDepth ? in_features - first_k : kRawDepth;
        decode_raw(weight, panel, first_k, depth, decoded);
        const float* x_rows[kRows];
        for (int64_t r = 0; r < rows;) {
            const int64_t together = rows - r >= kRows ? kRows : 1;
            for (int64_t i = 0; i < together; ++i) x_rows[i] = x.x + (begin + r + i) * stride + first_k;
            for (int64_t column = 0; column < weight.layout.columns(panel); column += kRawColumns) {
                if (together == kRows) {
                    dot_raw<kRows>(x_rows, decoded + column, depth, totals + r, column);
                } else {
                    dot_raw<1>(x_rows, decoded + column, depth, totals + r, column);
                }
            }
            r += together;
        }
    }
}

}  // namespace
}  // namespace lk::cpu
