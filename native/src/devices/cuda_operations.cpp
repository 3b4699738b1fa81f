// The operations of a CUDA device.
#include "core/matrix.h"
#include "dequantize/cuda/dequantize.h"
#include "devices/cuda_backend.h"
#include "lora/cuda/lora.h"
#include "matmul/cuda/matmul.h"

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

int64_t values_bytes(const Adapters& adapters) {
    return adapters.piece_stride * adapters.pieces * int64_t(sizeof(float));
}

// Kernels count rows in 32 bits.
void check_rows_count(const lk_matrix& x) {
    if (x.rows > INT32_MAX) {
        fail(LK_UNSUPPORTED, "x.rows: is %lld; on a GPU a call has at most %d", static_cast<long long>(x.rows),
             INT32_MAX);
    }
}

// What linear takes from the workspace.
struct LinearScratch {
    LinearScratch(char* memory, int64_t value_bytes, const MatmulPlan& plan) {
        Carver carver(memory);
        values = reinterpret_cast<float*>(carver.take<char>(value_bytes));
        matmul.staged = carver.take<char>(plan.staged_bytes);
        matmul.sums = reinterpret_cast<float4*>(carver.take<char>(plan.sum_bytes));
        bytes = carver.used();
    }

    float* values;
    MatmulScratch matmul{};
    int64_t bytes;
};

}  // namespace

// By capacity, not by what the plan holds now: a later content may need more.
Adapters CudaBackend::adapters_of(const BatchPlan& plan, int32_t module, const lk_matrix& x) const {
    Adapters adapters = adapters_without_values(plan, module);
    adapters.row_local = batch_invariant_;
    adapters.pieces = shrink_pieces(x.columns, x.rows, adapters.row_local);
    adapters.piece_stride = piece_values(batch_of(plan).capacities().max_rank_tiles);
    return adapters;
}

Adapters CudaBackend::adapters_with_values(const BatchPlan& plan, int32_t module, const lk_matrix& x,
                                           Workspace& workspace) const {
    Adapters adapters = adapters_of(plan, module, x);
    workspace.set_fixed(stream_.capturing());
    adapters.values = reinterpret_cast<float*>(workspace.reserve(values_bytes(adapters)));
    return adapters;
}

// What is recorded is launched for whatever the batch may hold.
int64_t CudaBackend::items_of(const BatchPlan& plan) const {
    return stream_.capturing() ? batch_of(plan).capacities().max_rank_tiles : shrink_items(plan);
}

int64_t CudaBackend::workspace_bytes(int64_t rows, int64_t in_features, int64_t out_features, int64_t,
                                     int64_t rank_tiles) const {
    const int64_t pieces = shrink_pieces(in_features, 1, false);
    const int64_t values = piece_values(rank_tiles) * pieces * int64_t(sizeof(float));
    constexpr int64_t kPieces = 3;  // of the workspace, each at an alignment of its own
    return values + most_matmul_bytes(rows, in_features, out_features, device_.facts()) +
           kPieces * Workspace::kAlignment;
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
    const lk_matrix& x = arguments.x;
    check_rows_count(x);
    const bool has_adapters = arguments.plan != nullptr;
    MatmulArguments call{
        .weight = FragmentView(arguments.weight), .tokens = {}, .x = x, .adapters = {}, .bias = {}, .y = arguments.y};
    if (arguments.bias != nullptr) call.bias = *arguments.bias;
    if (has_adapters) call.adapters = adapters_of(*arguments.plan, arguments.module, x);
    const MatmulPlan plan = plan_matmul(call.weight, x, device_.facts(), batch_invariant_);
    const int64_t value_bytes = has_adapters ? values_bytes(call.adapters) : 0;
    workspace.set_fixed(stream_.capturing());
    LinearScratch scratch(workspace.reserve(LinearScratch(nullptr, value_bytes, plan).bytes), value_bytes, plan);
    call.adapters.values = scratch.values;
    scratch.matmul.arrivals = arrivals();

    stage(stream_, plan, scratch.matmul, call);
    if (!has_adapters) return matmul(stream_, plan, scratch.matmul, call, false);
    const BatchInUse use(*this, *arguments.plan);
    cuda::shrink(stream_, x, call.adapters, items_of(*arguments.plan));
    matmul(stream_, plan, scratch.matmul, call, true);
}

void CudaBackend::apply(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& y,
                        Workspace& workspace) {
    const CurrentContext current(device_);
    const Adapters adapters = adapters_with_values(plan, module, x, workspace);
    const BatchInUse use(*this, plan);
    if (x.rows <= kApplyRows) {
        return cuda::apply(stream_, x, adapters, items_of(plan), y, apply_counters());
    }
    cuda::shrink(stream_, x, adapters, items_of(plan));
    cuda::expand(stream_, x, adapters, y);
}

void CudaBackend::shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s,
                         Workspace& workspace) {
    if (is_empty(s)) return;
    const CurrentContext current(device_);
    const Adapters adapters = adapters_with_values(plan, module, x, workspace);
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
