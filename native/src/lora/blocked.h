// Shrink and expand in rank tiles, which a path computes (linear/path.h). The operations of their own are in
// lora/blocked.cpp; linear/blocked.cpp puts the pieces here together with the base.
#pragma once

#include <algorithm>

#include "core/matrix.h"
#include "linear/path.h"
#include "lora/intermediate.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu {
namespace {

// Rows of x to fp32, padded_depth(columns) apart.
inline void widen_rows(const lk_matrix& x, int64_t first_row, int64_t rows, float* out) {
    const int64_t stride = padded_depth(x.columns);
    ThreadPool::shared().parallel_for(rows, [&](int64_t r) {
        read_row(x, first_row + r, 0, x.columns, out + r * stride);
        std::fill(out + r * stride + x.columns, out + (r + 1) * stride, 0.0f);
    });
}

// What an operation needs of the workspace: a chunk of x in fp32, the same as the path prepares it, and shrink's
// result.
struct Scratch {
    float* x;
    uint8_t* prepared;
    Intermediate intermediate;

    Scratch(Carver& carver, const Path& path, int64_t rows, int64_t in_features, int64_t entries, int64_t tiles) {
        const int64_t chunk_rows = std::min(rows, kChunkRows);
        x = carver.take<float>(chunk_rows * padded_depth(in_features));
        prepared = carver.take<uint8_t>(chunk_rows * path.prepared_row_bytes(in_features));
        intermediate = Intermediate::place(carver, entries, tiles);
    }

    static int64_t bytes(const Path& path, int64_t rows, int64_t in_features, int64_t entries, int64_t tiles) {
        Carver measure(nullptr);
        (void)Scratch(measure, path, rows, in_features, entries, tiles);
        return measure.used();
    }

    // plan and module are NULL without adapters.
    static Scratch reserve(Workspace& workspace, const Path& path, int64_t rows, int64_t in_features,
                           const BatchPlan* plan, const LoraModule* module) {
        const int64_t entries = plan == nullptr ? 0 : plan->entries();
        const int64_t tiles = plan == nullptr ? 0 : tiles_of(*plan);
        Carver carver(workspace.reserve(bytes(path, rows, in_features, entries, tiles)));
        Scratch scratch(carver, path, rows, in_features, entries, tiles);
        if (plan != nullptr) scratch.intermediate.set_offsets(*plan, *module);
        return scratch;
    }
};

// Fills the intermediate of the entries of rows [first_row, first_row + rows), which are given widened.
inline void shrink_rows(const Path& path, const BatchPlan& plan, const LoraModule& module,
                        const Intermediate& intermediate, const float* x, int64_t first_row, int64_t rows) {
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
            path.shrink_tile(factors->a_tiles[size_t(tile)], factors->a_dtype, factors->in_features, x_rows, out,
                             count);
        }
    });
}

// totals[0 ... count) += a row's adapters, in the order of its entries, for the columns of a panel of the module, which
// begins with `column`.
inline void expand_row(const Path& path, const BatchPlan& plan, const LoraModule& module,
                       const Intermediate& intermediate, int64_t row, int64_t column, int64_t count, float* totals) {
    for (int64_t e = plan.row_offsets[size_t(row)]; e < plan.row_offsets[size_t(row) + 1]; ++e) {
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr) continue;
        for_each_update(*adapter, module, intermediate.values + intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice& slice, const float* values) {
                            const int64_t begin = std::max(column, slice.offset);
                            const int64_t end = std::min(column + count, slice.offset + slice.size);
                            if (begin >= end) return;
                            float sums[PanelLayout::kColumns] = {};
                            const ColumnPanels::Rows rows = factors.b.from(begin - slice.offset);
                            path.expand(rows.first, factors.b_dtype, rows.stride, values, factors.rank, end - begin,
                                        sums);
                            const float scale = plan.weights[size_t(e)] * factors.scale;
                            for (int64_t c = begin; c < end; ++c) {
                                float& total = totals[c - column];
                                total = factors.updated(total, sums[c - begin], scale, c - slice.offset);
                            }
                        });
    }
}

}  // namespace
}  // namespace lk::cpu
