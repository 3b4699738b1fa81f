// Everything that computes y from x: matmul, LoRA on top of y, and both at once.
#include "abi/checks.h"
#include "core/context.h"

using namespace lk;
using namespace lk::abi;

namespace {

void check_bias(const lk_matrix* bias, const lk_matrix& y) {
    check_matrix(bias, "bias");
    check_rows(*bias, "bias", 1, "a bias has");
    check_columns(*bias, "bias", y.columns, "y has");
    check_no_overlap(y, "y", *bias, "bias");
}

// With a weight y is set, without one the batch is added to it. batch and bias may be missing.
void compute(lk_context* context, const lk_matrix* x, const lk_weight* weight, const lk_lora_batch* batch,
             int32_t module, const lk_matrix* bias, const lk_matrix* y) {
    const ContextLock lock(context);
    check_matrix(x, "x");
    check_matrix(y, "y");
    check_same_dtype(*x, *y);
    if (weight != nullptr) check_device(weight->device, *lock->backend, "weight");
    if (batch != nullptr) check_device(batch->table->device(), *lock->backend, "batch");
    check_rows(*y, "y", x->rows, "x has");
    if (weight != nullptr) {
        check_columns(*x, "x", weight->tensors.in_features, "the weight's in_features are");
        check_columns(*y, "y", weight->tensors.out_features, "the weight's out_features are");
    }
    BatchPlans::Lease plan;
    if (batch != nullptr) {
        plan = batch->plan();
        const LoraModule& linear = plan->table->module(module);
        check_rows(*x, "x", plan->rows, "the batch's rows are");
        check_columns(*x, "x", linear.in_features, "the module's in_features are");
        check_columns(*y, "y", linear.out_features, "the module's out_features are");
    }
    if (bias != nullptr) check_bias(bias, *y);
    check_no_overlap(*y, "y", *x, "x");
    if (is_empty(*y)) return;
    if (weight != nullptr) {
        lock->backend->linear({*x, *weight, plan.get(), module, bias, *y}, lock->workspace);
    } else {
        lock->backend->apply(*x, *plan, module, *y, lock->workspace);
    }
}

}  // namespace

lk_status lk_matmul(lk_context* context, const lk_matrix* x, const lk_weight* weight, const lk_matrix* bias,
                    const lk_matrix* y) {
    return guard([&] {
        require(weight, "weight");
        compute(context, x, weight, nullptr, 0, bias, y);
    });
}

lk_status lk_lora_apply(lk_context* context, const lk_matrix* x, const lk_lora_batch* batch, int32_t module,
                        const lk_matrix* y) {
    return guard([&] {
        require(batch, "batch");
        compute(context, x, nullptr, batch, module, nullptr, y);
    });
}

lk_status lk_linear(lk_context* context, const lk_matrix* x, const lk_weight* weight, const lk_lora_batch* batch,
                    int32_t module, const lk_matrix* bias, const lk_matrix* y) {
    return guard([&] {
        require(weight, "weight");
        compute(context, x, weight, batch, module, bias, y);
    });
}
