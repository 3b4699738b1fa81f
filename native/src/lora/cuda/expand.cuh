// A block's part of y += s * B^T.
#pragma once

#include "linear/cuda/exact.cuh"
#include "lora/cuda/epilogue.cuh"

namespace lk::cuda {

inline constexpr int kExpandThreads = 128;
inline constexpr int kExpandWarps = kExpandThreads / 32;
inline constexpr int kExpandColumns = kExpandWarps * kUpdateColumns;  // of y, a block's

// A warp's tile of y on its way between memory and accumulators, one token a row. It takes the place of the factors.
struct ExpandTokens {
    float values[32][kUpdateColumns + 1];
};

struct ExpandStaging {
    union Warp {
        UpdateStaging updates;
        ExpandTokens tokens;
    } warps[kExpandWarps];
};

template <int ColumnTiles>
__host__ __device__ inline int64_t expand_tiles(const lk_matrix& y) {
    return divide_up(y.rows, ColumnTiles * kUpdateTokens) * divide_up(y.columns, kExpandColumns);
}

// See exact.cuh. Without x, the values are all that is known.
template <class T>
LK_RARE float undo_overflow(const lk_matrix& x, const Adapters& adapters, int64_t row, int64_t n, float before,
                            float total) {
    if (!adapters_are_finite(adapters, row)) return total;
    if (x.data != nullptr) {
        if (!row_is_finite<T>(x, row)) return total;
        return float(exact_adapters_of<T>(x, adapters, row, n, double(before)));
    }
    bool finite = true;
    const auto value = [&](const LoraDescriptor&, const float* values, int32_t r) {
        finite = finite && is_finite(values[r]);
        return double(values[r]);
    };
    const double exact = exact_adapters(adapters, row, n, double(before), value);
    return finite ? float(exact) : total;
}

// Columns [128 * j, + 128) of ColumnTiles * 8 rows, which no other block writes.
template <class T, int ColumnTiles>
__device__ __forceinline__ void expand_tile(const lk_matrix& x, const Adapters& adapters, const lk_matrix& y,
                                            int64_t tile, ExpandStaging& staging) {
    constexpr int kTokens = ColumnTiles * kUpdateTokens;
    constexpr bool kExact = sizeof(T) == sizeof(float);
    const int lane = int(lane_id());
    const int warp = int(threadIdx.x) / 32;
    const int64_t pieces = divide_up(y.columns, kExpandColumns);
    const int64_t first_row = tile / pieces * kTokens;
    const int64_t first_column = tile % pieces * kExpandColumns + warp * kUpdateColumns;
    if (first_column >= y.columns) return;
    const int64_t row = first_row + lane;
    const uint32_t changed = ballot(lane < kTokens && row < y.rows && has_adapter(adapters, row));
    if (changed == 0) return;

    ExpandTokens& tokens = staging.warps[warp].tokens;
    const bool has_column = first_column + lane < y.columns;
    const auto place_of = [&](int token) { return row_of<T>(y, first_row + token) + first_column + lane; };
#pragma unroll 8
    for (int token = 0; token < kTokens; ++token) {
        const bool present = has_column && (changed >> token & 1) != 0;
        tokens.values[token][lane] = present ? widen(*place_of(token)) : 0.0f;
    }
    warp_sync();
    float totals[ColumnTiles][2][4];
    const auto for_each_total = [&](auto&& visit) {
#pragma unroll
        for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    visit(totals[c][half][i],
                          tokens.values[c * kUpdateTokens + lane % 4 * 2 + i % 2][half * 16 + lane / 4 + i / 2 * 8]);
                }
            }
        }
    };
    for_each_total([](float& total, const float& value) { total = value; });
    warp_sync();
    add_adapters_to_tile<kExact>(adapters, first_row, y.rows, first_column, staging.warps[warp].updates, totals);
    for_each_total([](const float& total, float& value) { value = total; });
    warp_sync();
#pragma unroll 1
    for (int token = 0; token < kTokens; ++token) {
        if (!has_column || (changed >> token & 1) == 0) continue;
        T* const place = place_of(token);
        float total = tokens.values[token][lane];
        if (!is_finite(total)) {
            const float before = widen(*place);
            if (is_finite(before)) {
                total = undo_overflow<T>(x, adapters, first_row + token, first_column + lane, before, total);
            }
        }
        store_rounded(place, total);
    }
    warp_sync();
}

}  // namespace lk::cuda
