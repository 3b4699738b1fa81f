// The operations of a CUDA device.
#include "core/matrix.h"
#include "dequantize/cuda/dequantize.h"
#include "devices/cuda_backend.h"
#include "linear/cuda/linear.h"
#include "lora/cuda/lora.h"

namespace lk::cuda {

class CudaBackend::BatchInUse {
  public:
    BatchInUse(CudaBackend& backend, const BatchPlan& plan) {
        if (backend.stream_.capturing()) {
            backend.recorded_batches_.push_back(plan.storage);
        } else {
            use_.emplace(static_cast<CudaBatch&>(*plan.storage), backend.stream_);
        }
    }

  private:
    std::optional<CudaBatch::Use> use_;
};

namespace {

const CudaBatch& batch_of(const BatchPlan& plan) {
    return static_cast<const CudaBatch&>(*plan.storage);
}

Adapters adapters_without_values(const BatchPlan& plan, int32_t module_index) {
    const LoraModule& module = plan.table->module(module_index);
    Adapters adapters;
    adapters.plan = batch_of(plan).plan();
    adapters.first_slice = module.first_slice;
    adapters.slice_count = int32_t(module.slices.size());
    return adapters;
}

void use_matrix(Adapters& adapters, const lk_matrix& s) {
    adapters.by_tiles = false;
    adapters.values = static_cast<float*>(s.data);
    adapters.value_rows = s.rows;
    adapters.value_stride = s.row_stride;
}

int64_t piece_values(int64_t rank_tiles) {
    return rank_tiles * kRankTile;
}

int64_t values_bytes(int64_t rank_tiles, int64_t pieces) {
    return piece_values(rank_tiles) * pieces * int64_t(sizeof(float));
}

}  // namespace

// By capacity, not by what the plan holds now: a later content may need more.
Adapters CudaBackend::adapters_of(const BatchPlan& plan, int32_t module, const lk_matrix& x,
                                  Workspace& workspace) const {
    Adapters adapters = adapters_without_values(plan, module);
    const int64_t tiles = batch_of(plan).capacities().max_rank_tiles;
    adapters.pieces = shrink_pieces(x.columns, x.rows, adapters.row_local);
    adapters.piece_stride = piece_values(tiles);
    workspace.set_fixed(stream_.capturing());
    adapters.values = reinterpret_cast<float*>(workspace.reserve(values_bytes(tiles, adapters.pieces)));
    return adapters;
}

// What is recorded is launched for whatever the batch may hold.
int64_t CudaBackend::items_of(const BatchPlan& plan) const {
    return stream_.capturing() ? batch_of(plan).capacities().max_rank_tiles : shrink_items(plan);
}

int64_t CudaBackend::workspace_bytes(int64_t, int64_t in_features, int64_t, int64_t rank_tiles) const {
    return values_bytes(rank_tiles, shrink_pieces(in_features, 1, false));
}

std::unique_ptr<BatchStorage> CudaBackend::create_batch(const lk_lora_batch_options& capacities) {
    const CurrentContext current(device_);
    refuse_while_recording("making a batch");
    return std::make_unique<CudaBatch>(device_, allocator_, capacities);
}

void CudaBackend::set_batch(const BatchPlan& plan) {
    const CurrentContext current(device_);
    refuse_while_recording("setting a batch");
    static_cast<CudaBatch&>(*plan.storage).set(plan, stream_);
}

void CudaBackend::dequantize(const lk_weight& weight, const lk_matrix& y) {
    const CurrentContext current(device_);
    cuda::dequantize(stream_, FragmentView(weight), y);
}

void CudaBackend::linear(const LinearArguments& arguments, Workspace& workspace) {
    const CurrentContext current(device_);
    const lk_matrix bias = arguments.bias == nullptr ? lk_matrix{} : *arguments.bias;
    const FragmentView weight(arguments.weight);
    if (arguments.plan == nullptr) {
        return cuda::linear(stream_, arguments.x, weight, {}, bias, arguments.y);
    }
    const Adapters adapters = adapters_of(*arguments.plan, arguments.module, arguments.x, workspace);
    const BatchInUse use(*this, *arguments.plan);
    cuda::shrink(stream_, arguments.x, adapters, items_of(*arguments.plan));
    cuda::linear(stream_, arguments.x, weight, adapters, bias, arguments.y);
}

void CudaBackend::apply(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                        Workspace& workspace) {
    const CurrentContext current(device_);
    const Adapters adapters = adapters_of(plan, module, x, workspace);
    const BatchInUse use(*this, plan);
    if (x.rows <= kApplyRows) {
        return cuda::apply(stream_, x, adapters, items_of(plan), y, static_cast<ApplyCounters*>(counters_->data()));
    }
    cuda::shrink(stream_, x, adapters, items_of(plan));
    cuda::expand(stream_, x, adapters, y);
}

void CudaBackend::shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
                         Workspace& workspace) {
    if (is_empty(s)) return;
    const CurrentContext current(device_);
    const Adapters adapters = adapters_of(plan, module, x, workspace);
    const BatchInUse use(*this, plan);
    cuda::shrink(stream_, x, adapters, items_of(plan));
    cuda::collect(stream_, x, adapters, s);
}

void CudaBackend::expand(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y, Workspace&) {
    if (is_empty(y)) return;
    const CurrentContext current(device_);
    Adapters adapters = adapters_without_values(plan, module);
    use_matrix(adapters, s);
    const BatchInUse use(*this, plan);
    cuda::expand(stream_, {}, adapters, y);
}

}  // namespace lk::cuda
