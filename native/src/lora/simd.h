// Shrink and expand of a rank tile on the vector paths.
#pragma once

#include "linear/simd/numbers.h"
#include "lora/descriptor.h"

namespace lk::cpu {
namespace {

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
                const Floats a = load_numbers(tile + r * in_features + k);
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

template <class T>
inline void expand_columns(const T* rows, int64_t out_features, const float* values, int64_t ranks, int64_t columns,
                           float* sums) {
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
        Floats total = load(sums + c);
        for (int64_t r = 0; r < ranks; ++r) {
            total = multiply_add(load_numbers(rows + r * out_features + c), splat(values[r]), total);
        }
        store(sums + c, total);
    }
    for (; c < columns; ++c) {
        for (int64_t r = 0; r < ranks; ++r) {
            sums[c] = __builtin_fmaf(to_float(rows[r * out_features + c]), values[r], sums[c]);
        }
    }
}

inline void expand_tile(const void* rows, lk_dtype dtype, int64_t out_features, const float* values, int64_t ranks,
                        int64_t columns, float* sums) {
    if (dtype == LK_DTYPE_F32) {
        expand_columns(static_cast<const float*>(rows), out_features, values, ranks, columns, sums);
    } else if (dtype == LK_DTYPE_F16) {
        expand_columns(static_cast<const Half*>(rows), out_features, values, ranks, columns, sums);
    } else {
        expand_columns(static_cast<const BFloat16*>(rows), out_features, values, ranks, columns, sums);
    }
}

}  // namespace
}  // namespace lk::cpu
