// Shrink and expand on the portable path. The operations of their own are in portable.cpp; linear/portable.cpp puts the
// pieces here together with the base.
#pragma once

#include <algorithm>

#include "lora/intermediate.h"
#include "matmul/portable.h"

namespace lk::cpu {
namespace {

constexpr int64_t kEntriesAtOnce = 64;

// What an operation needs of the workspace: a chunk of x in fp32, and shrink's result.
struct Scratch {
    float* x;
    Intermediate intermediate;

    Scratch(Carver& carver, int64_t rows, int64_t in_features, int64_t entries, int64_t tiles) {
        x = carver.take<float>(std::min(rows, kChunkRows) * padded_depth(in_features));
        intermediate = Intermediate::place(carver, entries, tiles);
    }

    static int64_t bytes(int64_t rows, int64_t in_features, int64_t entries, int64_t tiles) {
        Carver measure(nullptr);
        (void)Scratch(measure, rows, in_features, entries, tiles);
        return measure.used();
    }

    // plan and module are NULL without adapters.
    static Scratch reserve(Workspace& workspace, int64_t rows, int64_t in_features, const BatchPlan* plan,
                           const LoraModule* module) {
        const int64_t entries = plan == nullptr ? 0 : plan->entries();
        const int64_t tiles = plan == nullptr ? 0 : tiles_of(*plan);
        Carver carver(workspace.reserve(bytes(rows, in_features, entries, tiles)));
        Scratch scratch(carver, rows, in_features, entries, tiles);
        if (plan != nullptr) scratch.intermediate.set_offsets(*plan, *module);
        return scratch;
    }
};

// A run of entries of one adapter times one rank tile of A: 8 values an entry.
template <class T>
void shrink_tile(const T* tile, int64_t in_features, const float* const* x_rows, float* const* out, int64_t count) {
    alignas(64) float block[kRankTile][kBlockDepth];
    alignas(64) float totals[kEntriesAtOnce * kRankTile] = {};
    const float* x[kEntriesAtOnce];
    for (int64_t first_k = 0; first_k < in_features; first_k += kBlockDepth) {
        const int64_t depth = std::min(kBlockDepth, in_features - first_k);
        const int64_t padded = round_up(depth, 4);
        for (int64_t r = 0; r < kRankTile; ++r) {
            const T* source = tile + r * in_features + first_k;
            for (int64_t k = 0; k < depth; ++k) block[r][k] = to_float(source[k]);
            std::fill(block[r] + depth, block[r] + padded, 0.0f);
        }
        for (int64_t e = 0; e < count; ++e) x[e] = x_rows[e] + first_k;
        dot_block(x, count, block[0], kRankTile, kBlockDepth, padded, totals, kRankTile);
    }
    for (int64_t e = 0; e < count; ++e) std::copy_n(totals + e * kRankTile, kRankTile, out[e]);
}

// Fills the intermediate of the entries of rows [first_row, first_row + rows), which are given widened.
inline void shrink_rows(const BatchPlan& plan, const LoraModule& module, const Intermediate& intermediate,
                        const float* x, int64_t first_row, int64_t rows) {
    const int64_t x_stride = padded_depth(module.in_features);
    const int64_t first_entry = plan.row_offsets[size_t(first_row)];
    const int64_t end_entry = plan.row_offsets[size_t(first_row + rows)];
    int64_t most_tiles = 0;
    for (const auto& adapter : plan.segments) most_tiles = std::max(most_tiles, adapter->tiles_in(module));
    if (most_tiles == 0) return;
    // One item is one rank tile of one adapter; items past an adapter's tiles are empty.
    ThreadPool::shared().parallel_for(int64_t(plan.segments.size()) * most_tiles, [&](int64_t item) {
        const int64_t segment = item / most_tiles;
        int64_t tile = item % most_tiles;
        int64_t place = tile * kRankTile;
        const LoraFactors* factors = nullptr;
        for_each_update(*plan.segments[size_t(segment)], module, nullptr,
                        [&](const LoraFactors& f, const lk_output_slice&, float*) {
                            if (factors != nullptr) return;
                            if (tile < rank_tiles(f.rank)) {
                                factors = &f;
                            } else {
                                tile -= rank_tiles(f.rank);
                            }
                        });
        if (factors == nullptr) return;

        const int64_t* const begin = plan.segment_entries.data() + plan.segment_offsets[size_t(segment)];
        const int64_t* const end = plan.segment_entries.data() + plan.segment_offsets[size_t(segment) + 1];
        const int64_t* entry = std::lower_bound(begin, end, first_entry);
        const int64_t* const last = std::lower_bound(entry, end, end_entry);
        while (entry != last) {
            const int64_t count = std::min<int64_t>(kEntriesAtOnce, last - entry);
            const float* x_rows[kEntriesAtOnce];
            float* out[kEntriesAtOnce];
            for (int64_t i = 0; i < count; ++i, ++entry) {
                x_rows[i] = x + (plan.row_of_entry[size_t(*entry)] - first_row) * x_stride;
                out[i] = intermediate.values + intermediate.offsets[*entry] + place;
            }
            with_dtype(factors->a_dtype, [&]<class T>(T*) {
                shrink_tile(static_cast<const T*>(factors->a_tiles[size_t(tile)]), factors->in_features, x_rows, out,
                            count);
            });
        }
    });
}

// sums[0 ... count) += values . B[:, column ... column + count) over a slice's ranks.
template <class T>
void expand_slice(const LoraFactors& factors, const float* values, int64_t column, int64_t count, float* sums) {
    for (int64_t r = 0; r < factors.rank; ++r) {
        const T* b = static_cast<const T*>(factors.b_tiles[size_t(r / kRankTile)]) +
                     r % kRankTile * factors.out_features + column;
        for (int64_t c = 0; c < count; ++c) sums[c] += values[r] * to_float(b[c]);
    }
}

// totals[0 ... count) += a row's adapters, in the order of its entries, for the module's columns from `column` on;
// count <= PanelLayout::kColumns.
inline void expand_row(const BatchPlan& plan, const LoraModule& module, const Intermediate& intermediate, int64_t row,
                       int64_t column, int64_t count, float* totals) {
    for (int64_t e = plan.row_offsets[size_t(row)]; e < plan.row_offsets[size_t(row) + 1]; ++e) {
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr) continue;
        for_each_update(*adapter, module, intermediate.values + intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice& slice, const float* values) {
                            const int64_t begin = std::max(column, slice.offset);
                            const int64_t end = std::min(column + count, slice.offset + slice.size);
                            if (begin >= end) return;
                            float sums[PanelLayout::kColumns] = {};
                            with_dtype(factors.b_dtype, [&]<class T>(T*) {
                                expand_slice<T>(factors, values, begin - slice.offset, end - begin, sums);
                            });
                            const float scale = plan.weights[size_t(e)] * factors.scale;
                            for (int64_t c = begin; c < end; ++c) totals[c - column] += scale * sums[c - begin];
                        });
    }
}

}  // namespace
}  // namespace lk::cpu
