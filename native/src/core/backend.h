// What a device must be able to do. The ABI checks arguments, finds the context's backend and calls it; a backend may
// rely on every check having been made.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/device_id.h"

namespace lk {

class AdapterMemory;
class Workspace;
struct BatchPlan;

// y = x * W^T + adapters + bias.
struct LinearArguments {
    const lk_matrix& x;
    const lk_weight& weight;
    const BatchPlan* plan;  // NULL: no adapters
    int32_t module;
    const lk_matrix* bias;  // or NULL
    const lk_matrix& y;
    lk_compute compute = LK_COMPUTE_PRECISE;
};

// Operations that a backend has recorded.
class Recording {
  public:
    virtual ~Recording() = default;
};

// What a device keeps for a batch, at addresses that never change.
class BatchStorage {
  public:
    virtual ~BatchStorage() = default;
};

class Backend {
  public:
    virtual ~Backend() = default;

    virtual DeviceId device() const = 0;
    virtual void describe(lk_device_info& info) const = 0;
    // Where weights, buffers, tables, batches and workspaces lie: the options' allocator, or the device's own.
    virtual const lk_allocator& allocator() const = 0;
    // What a table made with this context takes its adapters' memory from.
    virtual std::shared_ptr<AdapterMemory> adapter_memory() const = 0;
    virtual void synchronize() = 0;
    // The native stream, or NULL where there is none.
    virtual void* stream() const = 0;

    // Between the two, operations are recorded instead of run.
    virtual void begin_capture() = 0;
    virtual std::unique_ptr<Recording> end_capture() = 0;
    // Ends a recording under way, if there is one, without its result.
    virtual void drop_capture() = 0;
    virtual void launch(const Recording& recording) = 0;

    // Fills pieces of device memory, one after the other: `write` gets a piece's number and as many bytes that the host
    // can write. Complete when it returns.
    virtual void fill(const std::vector<char*>& pieces, const std::vector<int64_t>& bytes,
                      const std::function<void(size_t piece, char* out)>& write) = 0;
    virtual void copy(const lk_matrix& source, lk_copy_kind kind, const lk_matrix& destination) = 0;

    // Allocates and fills the weight's memory from the checkpoint's tensors; its format and tensors are set.
    virtual void pack(const lk_weight_tensors& tensors, lk_weight& weight) = 0;
    virtual void unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out) = 0;
    virtual void dequantize(const lk_weight& weight, const lk_matrix& y) = 0;
    // Writes codes, scales and outer tensors of `tensors_out`, whose buffers have their sizes already, and sets its
    // outer_offset.
    virtual void quantize(const lk_matrix& w, lk_weight_tensors& tensors_out) = 0;

    // NULL where a batch has nothing on the device. Called by several threads at once.
    virtual std::unique_ptr<BatchStorage> create_batch(const lk_lora_batch_options& capacities) = 0;
    // Puts a plan into its storage, after all operations that were enqueued with the contents before.
    virtual void set_batch(const BatchPlan& plan) = 0;

    virtual void linear(const LinearArguments& arguments, Workspace& workspace) = 0;
    virtual void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
                        Workspace& workspace) = 0;
    virtual void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                        Workspace& workspace) = 0;

    virtual void apply(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                       Workspace& workspace) = 0;

    // The most that any operation takes from the workspace.
    virtual int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t out_features, int64_t entries,
                                    int64_t rank_tiles) const = 0;
};

}  // namespace lk
