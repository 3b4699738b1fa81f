// y = x * W^T on the portable path, as the piece that linear/portable.cpp builds on: a panel's part of the product.
#pragma once

#include "core/matrix.h"
#include "packing/decode_portable.h"
#include "platform/cpu/dot_portable.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu {
namespace {

// Rows of x that are computed together: W is decoded once for them.
constexpr int64_t kChunkRows = 256;

// fp32 rows are padded with zeros to whole steps of W.
constexpr int64_t padded_depth(int64_t in_features) {
    return round_up(in_features, PanelLayout::kStepDepth);
}

// Rows of x to fp32, padded_depth(columns) apart.
inline void widen_rows(const lk_matrix& x, int64_t first_row, int64_t rows, float* out) {
    const int64_t stride = padded_depth(x.columns);
    ThreadPool::shared().parallel_for(rows, [&](int64_t r) {
        read_row(x, first_row + r, 0, x.columns, out + r * stride);
        std::fill(out + r * stride + x.columns, out + (r + 1) * stride, 0.0f);
    });
}

// Rows of x in a weight's packed order of k, as add_product needs them; otherwise as widen_rows.
inline void gather_rows(const lk_matrix& x, int64_t first_row, int64_t rows, const int32_t* order, float* out) {
    const int64_t stride = padded_depth(x.columns);
    ThreadPool::shared().parallel_for(rows, [&](int64_t r) {
        with_dtype(x.dtype, [&]<class T>(T*) {
            const T* const source = row_of<const T>(x, first_row + r);
            for (int64_t k = 0; k < x.columns; ++k) out[r * stride + k] = to_float(source[order[k]]);
        });
    });
}

// totals[r][c] += x[r] . W[c] for the columns c of a panel and at most kChunkRows rows of widened x.
inline void add_product(const lk_weight& weight, const ValueTable& table, int64_t panel, const float* x, int64_t rows,
                        float (*totals)[PanelLayout::kColumns]) {
    DecodedBlock block;
    const float* x_rows[kChunkRows];
    const int64_t in_features = weight.layout.in_features;
    const int64_t stride = padded_depth(in_features);
    for (int64_t first_k = 0; first_k < in_features; first_k += kBlockDepth) {
        const int64_t depth = std::min(kBlockDepth, in_features - first_k);
        decode_block(weight, table, panel, first_k, depth, block);
        for (int64_t r = 0; r < rows; ++r) x_rows[r] = x + r * stride + first_k;
        dot_block(x_rows, rows, block.values[0], round_up(weight.layout.columns(panel), 4), kBlockDepth,
                  round_up(depth, PanelLayout::kStepDepth), totals[0], PanelLayout::kColumns);
    }
}

}  // namespace
}  // namespace lk::cpu
