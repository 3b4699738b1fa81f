// A stream of a CUDA device. Operations enqueue and return; only what reads or writes host memory waits.
#pragma once

#include <optional>
#include <vector>

#include "core/backend.h"
#include "lora/cuda/batch.h"
#include "lora/cuda/lora.h"
#include "platform/cuda/graph.h"
#include "platform/cuda/hook_allocator.h"
#include "platform/cuda/upload.h"

namespace lk::cuda {

class CudaBackend final : public Backend {
  public:
    // NULL: a stream of its own. A zeroed allocator: the device's.
    CudaBackend(Device& device, cudaStream_t borrowed, const lk_allocator& hook, bool batch_invariant);

    DeviceId device() const override { return {kDeviceKind, device_.index(), device_.context()}; }
    void describe(lk_device_info& info) const override;
    const lk_allocator& allocator() const override { return allocator_; }
    std::shared_ptr<AdapterMemory> adapter_memory() const override;
    void synchronize() override;
    void* stream() const override { return stream_.handle(); }

    void begin_capture() override;
    std::unique_ptr<Recording> end_capture() override;
    void drop_capture() override;
    void launch(const Recording& recording) override;

    void fill(const std::vector<char*>& pieces, const std::vector<int64_t>& bytes,
              const std::function<void(size_t piece, char* out)>& write) override;
    void copy(const lk_matrix& source, lk_copy_kind kind, const lk_matrix& destination) override;
    void pack(const lk_weight_tensors& tensors, lk_weight& weight) override;
    void unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out) override;
    void dequantize(const lk_weight& weight, const lk_matrix& y) override;
    void quantize(const lk_matrix& w, lk_weight_tensors& tensors_out) override;

    std::unique_ptr<BatchStorage> create_batch(const lk_lora_batch_options& capacities) override;
    void set_batch(const BatchPlan& plan) override;
    void linear(const LinearArguments& arguments, Workspace& workspace) override;
    void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
                Workspace& workspace) override;
    void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                Workspace& workspace) override;
    void apply(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
               Workspace& workspace) override;
    int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t out_features, int64_t entries,
                            int64_t rank_tiles) const override;

  private:
    // A batch while operations on it are enqueued: held, or noted in the recording.
    class BatchInUse;

    // Throws where the stream records: `what` cannot be recorded, and CUDA would end the recording.
    void refuse_while_recording(const char* what) const;
    void upload(void* device_memory, const void* source, int64_t bytes);
    void download(void* destination, const void* device_memory, int64_t bytes);
    void quantize_bitsandbytes(const lk_matrix& w, lk_weight_tensors& tensors);
    void quantize_int4(const lk_matrix& w, lk_weight_tensors& tensors);
    // Throws if an element of a group of the flat index is not finite; it is named.
    void check_group(const lk_matrix& w, int64_t first, int64_t count);
    // A module's adapters, whose values are to be computed from x into as many bytes of workspace.
    Adapters adapters_of(const BatchPlan& plan, int32_t module, const lk_matrix& x) const;
    // The same with the workspace, for operations that use it for nothing else.
    Adapters adapters_with_values(const BatchPlan& plan, int32_t module, const lk_matrix& x,
                                  Workspace& workspace) const;
    // How many items of shrink to launch for.
    int64_t items_of(const BatchPlan& plan) const;

    Device& device_;
    Stream stream_;
    Uploader uploader_;
    std::shared_ptr<HookAllocator> hook_;  // NULL without one
    lk_allocator allocator_;
    bool batch_invariant_;
    // The counters of apply, then those of matmul's tiles.
    static constexpr int64_t kArrivalsOffset = 256;
    ApplyCounters* apply_counters() const { return static_cast<ApplyCounters*>(counters_->data()); }
    uint32_t* arrivals() const {
        return reinterpret_cast<uint32_t*>(static_cast<char*>(counters_->data()) + kArrivalsOffset);
    }
    std::shared_ptr<const Block> counters_;  // zeros between operations: blocks of a launch count here
    std::optional<Capture> capture_;
    std::vector<std::shared_ptr<BatchStorage>> recorded_batches_;
};

}  // namespace lk::cuda
