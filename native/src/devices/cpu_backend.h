// The CPU as a device. Operations are complete when they return.
#pragma once

#include "core/backend.h"
#include "core/memory.h"
#include "devices/cpu_kernels.h"

namespace lk::cpu {

// Name, memory and processors of this machine.
void describe_machine(lk_device_info& info);

class CpuBackend final : public Backend {
  public:
    // A zeroed allocator: the library's own.
    CpuBackend(const Kernels& kernels, lk_compute compute, const lk_allocator& hook)
        : kernels_(kernels),
          compute_(compute),
          has_hook_(hook.allocate != nullptr),
          allocator_(has_hook_ ? hook : default_allocator()) {}

    DeviceId device() const override { return {}; }
    void describe(lk_device_info& info) const override;
    const lk_allocator& allocator() const override { return allocator_; }
    std::shared_ptr<AdapterMemory> adapter_memory() const override;
    void synchronize() override {}
    void* stream() const override { return nullptr; }
    void begin_capture() override;
    std::unique_ptr<Recording> end_capture() override;
    void drop_capture() override {}
    void launch(const Recording& recording) override;
    void fill(const std::vector<char*>& pieces, const std::vector<int64_t>& bytes,
              const std::function<void(size_t piece, char* out)>& write) override;
    void copy(const lk_matrix& source, lk_copy_kind kind, const lk_matrix& destination) override;
    void pack(const lk_weight_tensors& tensors, lk_weight& weight) override;
    void unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out) override;
    void dequantize(const lk_weight& weight, const lk_matrix& y) override;
    void quantize(const lk_matrix& w, lk_weight_tensors& tensors_out) override;
    std::unique_ptr<BatchStorage> create_batch(const lk_lora_batch_options&) override { return nullptr; }
    void set_batch(const BatchPlan&) override {}
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
    const Kernels& kernels_;
    lk_compute compute_;
    bool has_hook_;
    lk_allocator allocator_;
};

}  // namespace lk::cpu
