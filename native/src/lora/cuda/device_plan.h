// A batch's plan in device memory: one allocation, laid out for the batch's capacities, so that addresses never change
// and a captured launch serves every later content. Counts are read by kernels.
#pragma once

#include <cstdint>

#include "core/workspace.h"
#include "lora/descriptor.h"

namespace lk::cuda {

// Entries that one block of shrink computes together.
inline constexpr int32_t kItemEntries = 8;

// What one block of shrink does: a rank tile of one adapter times the rows of a few of its entries.
struct ShrinkItem {
    int32_t first;  // place in segment_entries
    int32_t count;  // 1 ... kItemEntries
    int32_t tile;   // rank tile of the adapter, counted over a module's slices
};

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
    // x * A^T of each entry: by rank tiles as in the plan, or one entry a row of an lk_matrix.
    float* values = nullptr;
    bool by_tiles = true;
    int64_t value_rows = 0;  // of the lk_matrix
    int64_t value_stride = 0;
};

}  // namespace lk::cuda
