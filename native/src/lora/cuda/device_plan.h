// A batch's plan in device memory: one allocation, laid out for the batch's capacities, so that addresses never change
// and a captured launch serves every later content. Counts are read by kernels.
#pragma once

#include <cstdint>

#include "core/workspace.h"
#include "lora/descriptor.h"

namespace lk::cuda {

// What one block of shrink does, for a piece of k: two rank tiles of one adapter times the rows of some of its entries.
inline constexpr int kItemTiles = 2;
inline constexpr int32_t kItemEntries = 32;
// Up to as many entries are dot products, more go through tensor cores.
inline constexpr int32_t kFewEntries = 4;

struct ShrinkItem {
    int32_t first;  // place in segment_entries
    int32_t count;  // 1 ... kItemEntries
    int32_t pair;   // of rank tiles of the adapter, counted over a module's slices
};

// k of a piece: whole steps of a warp's dot products.
constexpr int64_t shrink_depth(int64_t in_features, int64_t pieces) {
    return round_up(divide_up(in_features, pieces), 256);
}

struct PlanCounts {
    int32_t rows;
    int32_t entries;
    int32_t items;
    int32_t reserved;
};

struct DevicePlan {
    PlanCounts* counts = nullptr;
    int32_t* row_offsets = nullptr;                // [rows + 1]: the entries of a row
    int32_t* row_of_entry = nullptr;               // [entries]
    int32_t* segment_of_entry = nullptr;           // [entries], -1: no adapter
    int32_t* first_tile = nullptr;                 // [entries]: rank tiles of the entries before
    float* weights = nullptr;                      // [entries]
    int32_t* segment_entries = nullptr;            // [entries with an adapter], grouped by adapter
    ShrinkItem* items = nullptr;                   // [items]
    const LoraDescriptor** descriptors = nullptr;  // [segments]: of every slice of the table

    // The same layout on the host, where it is filled, and on the device.
    static DevicePlan place(Carver& carver, const lk_lora_batch_options& capacities) {
        DevicePlan plan;
        plan.counts = carver.take<PlanCounts>(1);
        plan.row_offsets = carver.take<int32_t>(capacities.max_rows + 1);
        plan.row_of_entry = carver.take<int32_t>(capacities.max_entries);
        plan.segment_of_entry = carver.take<int32_t>(capacities.max_entries);
        plan.first_tile = carver.take<int32_t>(capacities.max_entries);
        plan.weights = carver.take<float>(capacities.max_entries);
        plan.segment_entries = carver.take<int32_t>(capacities.max_entries);
        plan.items = carver.take<ShrinkItem>(capacities.max_rank_tiles);
        plan.descriptors = carver.take<const LoraDescriptor*>(capacities.max_segments);
        return plan;
    }
};

// What adapters change in one operation. No plan: nothing.
struct Adapters {
    DevicePlan plan;
    int32_t first_slice = 0;  // of the module, among the slices of the table
    int32_t slice_count = 0;
    // x * A^T of each entry: by rank tiles as in the plan, or one entry a row of an lk_matrix. Whoever reads a value
    // adds its pieces up, in their order: sums over consecutive parts of k.
    float* values = nullptr;
    int32_t pieces = 1;
    int64_t piece_stride = 0;
    bool by_tiles = true;
    bool row_local = false;  // a row's values must not depend on its batch in any bit
    int64_t value_rows = 0;  // of the lk_matrix
    int64_t value_stride = 0;
};

}  // namespace lk::cuda
