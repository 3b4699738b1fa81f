// The plan of a step: which adapters change which rows. Made once, used by every module.
#pragma once

#include <memory>
#include <vector>

#include "core/backend.h"
#include "lora/table.h"

namespace lk {

// An entry is one (row, adapter) pair; a segment is all entries of one adapter.
struct BatchPlan {
    std::shared_ptr<const LoraTable> table;
    std::shared_ptr<BatchStorage> storage;  // NULL on the CPU
    int64_t rows = 0;
    std::vector<int64_t> row_offsets = {0};  // [rows + 1]: the entries of a row
    std::vector<int64_t> row_of_entry;
    std::vector<int32_t> segment_of_entry;  // -1: LK_ADAPTER_NONE
    std::vector<float> weights;             // of entries

    std::vector<const Adapter*> segments;        // in order of first appearance; the plan holds them
    std::vector<int64_t> segment_offsets = {0};  // [segments + 1]: places in segment_entries
    std::vector<int64_t> segment_entries;        // ascending within a segment

    int64_t entries() const { return int64_t(row_of_entry.size()); }
    const Adapter* adapter_of(int64_t entry) const {
        const int32_t segment = segment_of_entry[size_t(entry)];
        return segment < 0 ? nullptr : segments[size_t(segment)];
    }
    bool has_adapter(int64_t row) const {
        for (int64_t e = row_offsets[size_t(row)]; e < row_offsets[size_t(row) + 1]; ++e) {
            if (adapter_of(e) != nullptr) return true;
        }
        return false;
    }
    // Whether no adapter of a row has an infinite or NaN element for a module.
    bool adapters_are_finite(int64_t row, const LoraModule& module) const {
        for (int64_t e = row_offsets[size_t(row)]; e < row_offsets[size_t(row) + 1]; ++e) {
            const Adapter* adapter = adapter_of(e);
            if (adapter != nullptr && !adapter->is_finite_in(module)) return false;
        }
        return true;
    }
};

}  // namespace lk
