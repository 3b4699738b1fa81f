// Shrink and expand of a rank tile on the vector paths.
#pragma once

#include "linear/simd/numbers.h"
#include "lora/descriptor.h"
#include "packing/panel.h"

namespace lk::cpu {
namespace {

// How many k ahead of their use the rows of A are asked for.
constexpr int64_t kShrinkAhead = 512;

// Sums of this many k are added to their totals.
constexpr int64_t kShrinkDepth = 128 * kLanes;

// All ranks of a tile for some entries. Lanes run along k; what is left of a row is added one k at a time.
template <int Entries, class T>
inline void shrink_entries(const T* tile, int64_t in_features, const float* const* x_rows, float* const* out) {
    float totals[Entries][kRankTile] = {};
    int64_t k = 0;
    for (const int64_t whole = in_features / kLanes * kLanes; k < whole;) {
        const int64_t end = whole - k < kShrinkDepth ? whole : k + kShrinkDepth;
        Floats sums[Entries][kRankTile];
        for (int e = 0; e < Entries; ++e) {
            for (int r = 0; r < kRankTile; ++r) sums[e][r] = zero_floats();
        }
        for (; k < end; k += kLanes) {
            Floats x[Entries];
            for (int e = 0; e < Entries; ++e) x[e] = load(x_rows[e] + k);
            for (int r = 0; r < kRankTile; ++r) {
                const T* const row = tile + r * in_features + k;
                prefetch(row + kShrinkAhead);
                const Floats a = load_numbers(row);
                for (int e = 0; e < Entries; ++e) sums[e][r] = multiply_add(a, x[e], sums[e][r]);
            }
        }
        for (int e = 0; e < Entries; ++e) {
            for (int r = 0; r < kRankTile; ++r) totals[e][r] += sum(sums[e][r]);
        }
    }
    for (int e = 0; e < Entries; ++e) {
        for (int r = 0; r < kRankTile; ++r) {
            float total = totals[e][r];
            for (int64_t i = k; i < in_features; ++i) total += x_rows[e][i] * to_float(tile[r * in_features + i]);
            out[e][r] = total;
        }
    }
}

template <class T>
inline void shrink_rows_of(const T* tile, int64_t in_features, const float* const* x_rows, float* const* out,
                           int64_t entries) {
    constexpr int kTogether = kLanes == 16 ? 2 : 1;
    int64_t e = 0;
    for (; e + kTogether <= entries; e += kTogether) {
        shrink_entries<kTogether>(tile, in_features, x_rows + e, out + e);
    }
    for (; e < entries; ++e) shrink_entries<1>(tile, in_features, x_rows + e, out + e);
}

inline void shrink_tile(const void* tile, lk_dtype dtype, int64_t in_features, const float* const* x_rows,
                        float* const* out, int64_t entries) {
    if (dtype == LK_DTYPE_F32) {
        shrink_rows_of(static_cast<const float*>(tile), in_features, x_rows, out, entries);
    } else if (dtype == LK_DTYPE_F16) {
        shrink_rows_of(static_cast<const Half*>(tile), in_features, x_rows, out, entries);
    } else {
        shrink_rows_of(static_cast<const BFloat16*>(tile), in_features, x_rows, out, entries);
    }
}

// The columns of some registers.
template <int Registers, class T>
inline void expand_registers(const T* rows, int64_t stride, const float* values, int64_t ranks, float* sums) {
    Floats totals[Registers];
    LK_UNROLL for (int i = 0; i < Registers; ++i) totals[i] = load(sums + i * kLanes);
    for (int64_t r = 0; r < ranks; ++r) {
        const T* const b = rows + r * stride;
        prefetch(b + ranks * stride);  // of the next panel
        const Floats value = splat(values[r]);
        LK_UNROLL for (int i = 0; i < Registers; ++i) {
            totals[i] = multiply_add(load_numbers(b + i * kLanes), value, totals[i]);
        }
    }
    LK_UNROLL for (int i = 0; i < Registers; ++i) store(sums + i * kLanes, totals[i]);
}

template <class T>
inline void expand_columns(const T* rows, int64_t stride, const float* values, int64_t ranks, int64_t columns,
                           float* sums) {
    constexpr int kRegisters = int(PanelLayout::kColumns / kLanes);
    if (columns == PanelLayout::kColumns) {
        return expand_registers<kRegisters>(rows, stride, values, ranks, sums);
    }
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
        expand_registers<1>(rows + c, stride, values, ranks, sums + c);
    }
    for (; c < columns; ++c) {
        for (int64_t r = 0; r < ranks; ++r) {
            sums[c] = __builtin_fmaf(to_float(rows[r * stride + c]), values[r], sums[c]);
        }
    }
}

inline void expand(const void* rows, lk_dtype dtype, int64_t stride, const float* values, int64_t ranks,
                   int64_t columns, float* sums) {
    if (dtype == LK_DTYPE_F32) {
        expand_columns(static_cast<const float*>(rows), stride, values, ranks, columns, sums);
    } else if (dtype == LK_DTYPE_F16) {
        expand_columns(static_cast<const Half*>(rows), stride, values, ranks, columns, sums);
    } else {
        expand_columns(static_cast<const BFloat16*>(rows), stride, values, ranks, columns, sums);
    }
}

}  // namespace
}  // namespace lk::cpu
