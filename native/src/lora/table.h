// The adapters on a device.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "core/backend.h"
#include "core/handle.h"
#include "core/memory.h"
#include "lora/column_panels.h"
#include "lora/descriptor.h"

namespace lk {

struct LoraModule {
    int64_t in_features;
    int64_t out_features;
    std::vector<lk_output_slice> slices;  // at least one
    int32_t first_slice;                  // number of the first among all slices of the table
};

// One low-rank update in device memory. A tile of A is [8, in], one of B is [8, out]: B is kept transposed, so that
// both are read along their long side; on the CPU in panels of columns. Ranks past the last are 0.
struct LoraFactors {
    int64_t rank;
    int64_t in_features;
    int64_t out_features;  // of the slice
    float scale;
    lk_dtype a_dtype;
    lk_dtype b_dtype;
    bool finite;  // no element is infinite or NaN
    std::vector<const void*> a_tiles;
    ColumnPanels b;             // on the CPU
    const float* bias;          // [out], or NULL
    const float* column_scale;  // [out], or NULL

    // On the CPU: a column's total with the update, given (x * A^T) * B^T and what that is multiplied by. Inlined
    // always: units for different instruction sets share no function.
    template <class T>
    [[gnu::always_inline]] T updated(T total, T sum, T factor, int64_t column) const {
        if (bias != nullptr) sum += T(bias[column]);
        total += factor * sum;
        return column_scale == nullptr ? total : T(column_scale[column]) * total;
    }
};

struct Adapter {
    Adapter(std::shared_ptr<std::atomic<int64_t>> bytes_of_table, Block block);
    ~Adapter();
    Adapter(const Adapter&) = delete;
    Adapter& operator=(const Adapter&) = delete;

    // The update of a slice (numbered over the whole table), or NULL.
    const LoraFactors* factors_of(int32_t slice) const {
        const int32_t index = index_of_slice[size_t(slice)];
        return index < 0 ? nullptr : &factors[size_t(index)];
    }
    int64_t tiles_in(const LoraModule& module) const;
    int64_t ranks_in(const LoraModule& module) const;
    bool is_finite_in(const LoraModule& module) const;

    // On a GPU the memory begins with what kernels read of every slice of the table; nothing on the CPU.
    const LoraDescriptor* descriptors() const { return static_cast<const LoraDescriptor*>(memory.data()); }

    std::vector<int32_t> index_of_slice;  // into factors, -1 where the adapter changes nothing
    std::vector<LoraFactors> factors;
    int64_t widest_tiles = 0;  // the most rank tiles in one module
    bool rescales = false;     // has a column scale somewhere
    Block memory;

  private:
    std::shared_ptr<std::atomic<int64_t>> bytes_of_table_;
};

// What a table handle and its batches share.
class LoraTable {
  public:
    LoraTable(const DeviceId& device, const lk_lora_module* modules, int32_t count);

    const std::vector<LoraModule>& modules() const { return modules_; }
    // Throws LK_INVALID_ARGUMENT for an index that is not one of a module.
    const LoraModule& module(int32_t index) const;
    const DeviceId& device() const { return device_; }

    int64_t add(Backend& backend, const lk_lora_factors* factors, int32_t count);
    void remove(int64_t id);
    int64_t bytes() const { return bytes_->load(std::memory_order_relaxed); }

    // Calls visit(find) while the table cannot change; find(id) gives the adapter or NULL.
    template <class Visit>
    void read(Visit&& visit) const {
        const std::lock_guard lock(mutex_);
        visit([this](int64_t id) -> std::shared_ptr<const Adapter> {
            const auto found = adapters_.find(id);
            return found == adapters_.end() ? nullptr : found->second;
        });
    }

  private:
    void check(const lk_lora_factors* factors, int32_t count) const;
    std::shared_ptr<const Adapter> build(Backend& backend, const lk_lora_factors* factors, int32_t count) const;

    DeviceId device_;
    std::vector<LoraModule> modules_;
    int32_t slice_count_ = 0;
    std::shared_ptr<std::atomic<int64_t>> bytes_ = std::make_shared<std::atomic<int64_t>>(0);
    mutable std::mutex mutex_;
    std::unordered_map<int64_t, std::shared_ptr<const Adapter>> adapters_;
};

}  // namespace lk

struct lk_lora_table : lk::Handle {
    explicit lk_lora_table(std::shared_ptr<lk::LoraTable> shared) : table(std::move(shared)) {}
    const std::shared_ptr<lk::LoraTable> table;
};
