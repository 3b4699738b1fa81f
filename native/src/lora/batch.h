// The plan of a step: which adapters change which rows. Made once, used by every module.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "core/backend.h"
#include "core/handle.h"
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

    std::vector<std::shared_ptr<const Adapter>> segments;  // in order of first appearance
    std::vector<int64_t> segment_offsets = {0};            // [segments + 1]: places in segment_entries
    std::vector<int64_t> segment_entries;                  // ascending within a segment

    int64_t entries() const { return int64_t(row_of_entry.size()); }
    const Adapter* adapter_of(int64_t entry) const {
        const int32_t segment = segment_of_entry[size_t(entry)];
        return segment < 0 ? nullptr : segments[size_t(segment)].get();
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

// Checks an assignment against the table and the capacities and groups it, in time linear in its entries.
std::shared_ptr<BatchPlan> make_plan(std::shared_ptr<const LoraTable> table, const lk_lora_batch_options& capacities,
                                     const lk_lora_assignment& assignment);

}  // namespace lk

struct lk_lora_batch : lk::Handle {
    lk_lora_batch(std::shared_ptr<const lk::LoraTable> of_table, const lk_lora_batch_options& options,
                  std::shared_ptr<lk::BatchStorage> on_device)
        : table(std::move(of_table)), capacities(options), storage_(std::move(on_device)) {
        auto empty = std::make_shared<lk::BatchPlan>();
        empty->table = table;
        empty->storage = storage_;
        plan_ = std::move(empty);
    }

    // Operations take the plan at their start and keep it, whatever is set meanwhile.
    std::shared_ptr<const lk::BatchPlan> plan() const {
        const std::lock_guard lock(mutex_);
        return plan_;
    }
    // Contexts that set it at the same time take turns, on the host and on the device alike.
    void set(const lk_lora_assignment& assignment, lk::Backend& backend) {
        std::shared_ptr<lk::BatchPlan> made = lk::make_plan(table, capacities, assignment);
        made->storage = storage_;
        std::shared_ptr<const lk::BatchPlan> plan = std::move(made);
        const std::lock_guard setting(setting_mutex_);
        backend.set_batch(*plan);
        const std::lock_guard lock(mutex_);
        plan_.swap(plan);
    }

    const std::shared_ptr<const lk::LoraTable> table;
    const lk_lora_batch_options capacities;

  private:
    const std::shared_ptr<lk::BatchStorage> storage_;
    std::mutex setting_mutex_;
    mutable std::mutex mutex_;
    std::shared_ptr<const lk::BatchPlan> plan_;
};
