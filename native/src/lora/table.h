// The adapters on a device.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "core/backend.h"
#include "core/handle.h"
#include "lora/adapter_index.h"
#include "lora/adapter_memory.h"
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
    // The update of a slice (numbered over the whole table), or NULL.
    const LoraFactors* factors_of(int32_t slice) const {
        const int32_t index = index_of_slice[size_t(slice)];
        return index < 0 ? nullptr : &factors[size_t(index)];
    }
    int64_t tiles_in(const LoraModule& module) const;
    int64_t ranks_in(const LoraModule& module) const;
    bool is_finite_in(const LoraModule& module) const;

    // On a GPU: what kernels read of every slice of the table.
    const LoraDescriptor* descriptors() const { return reinterpret_cast<const LoraDescriptor*>(place->parts().back()); }

    std::vector<int32_t> index_of_slice;  // into factors, -1 where the adapter changes nothing
    std::vector<LoraFactors> factors;
    int64_t widest_tiles = 0;  // the most rank tiles in one module
    bool rescales = false;     // has a column scale somewhere
    std::unique_ptr<AdapterPlace> place;

    // The table's: used under its lock.
    int32_t number = 0;           // among its adapters: small, and another's later
    mutable int64_t holders = 1;  // the table, and each plan
};

using Released = std::vector<std::unique_ptr<const Adapter>>;

// What a table handle and its batches share.
class LoraTable {
  public:
    LoraTable(const DeviceId& device, std::shared_ptr<AdapterMemory> memory, const lk_lora_module* modules,
              int32_t count);
    LoraTable(const LoraTable&) = delete;
    LoraTable& operator=(const LoraTable&) = delete;
    ~LoraTable();

    const std::vector<LoraModule>& modules() const { return modules_; }
    // Throws LK_INVALID_ARGUMENT for an index that is not one of a module.
    const LoraModule& module(int32_t index) const;
    const DeviceId& device() const { return device_; }
    AdapterMemory& memory() const { return *memory_; }

    int64_t add(Backend& backend, const lk_lora_factors* factors, int32_t count);
    void remove(int64_t id);
    // What an adapter takes, and what one of these factors would take.
    int64_t bytes_of(int64_t id) const;
    int64_t measure(const lk_lora_factors* factors, int32_t count) const;

    // Calls visit(find) while the table cannot change; find(id) gives the adapter or NULL. Who keeps one beyond that
    // counts itself among its holders, and calls release.
    template <class Visit>
    void read(Visit&& visit) const {
        const std::lock_guard lock(mutex_);
        visit([this](int64_t id) -> const Adapter* { return index_.find(id); });
    }
    // One holder less for each; the list is empty then. Returns those that nobody holds any more: they go with it.
    [[nodiscard]] Released release(std::vector<const Adapter*>& adapters) const;

  private:
    void check(const lk_lora_factors* factors, int32_t count) const;
    std::vector<int64_t> parts_of(const lk_lora_factors* factors, int32_t count) const;
    std::unique_ptr<Adapter> build(Backend& backend, const lk_lora_factors* factors, int32_t count) const;

    DeviceId device_;
    std::shared_ptr<AdapterMemory> memory_;
    std::vector<LoraModule> modules_;
    int32_t slice_count_ = 0;
    mutable std::mutex mutex_;
    AdapterIndex index_;
    mutable std::vector<int32_t> free_numbers_;
    int32_t numbers_ = 0;
};

}  // namespace lk

struct lk_lora_table : lk::Handle {
    explicit lk_lora_table(std::shared_ptr<lk::LoraTable> shared) : table(std::move(shared)) {}
    const std::shared_ptr<lk::LoraTable> table;
};
