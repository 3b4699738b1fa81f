// LoRA tables, batches and operations.
#include <algorithm>
#include <cstring>

#include "abi/checks.h"
#include "core/context.h"

using namespace lk;
using namespace lk::abi;

namespace {

void check_count(int32_t count, const void* array, const char* name) {
    if (count < 0) fail(LK_INVALID_ARGUMENT, "%s: a count of %d; it cannot be negative", name, count);
    if (count > 0) require(array, name);
}

void check_modules(const lk_lora_module* modules, int32_t count) {
    check_count(count, modules, "modules");
    for (int32_t m = 0; m < count; ++m) {
        require_size(modules[m].struct_size, sizeof *modules, "modules[]");
        check_extent(modules[m].in_features, "modules[].in_features");
        check_extent(modules[m].out_features, "modules[].out_features");
        check_count(modules[m].slice_count, modules[m].slices, "modules[].slices");
    }
}

// `check` is that of their matrices.
void check_factors(const lk_lora_factors* factors, int32_t count, void (*check)(const lk_matrix*, const char*)) {
    check_count(count, factors, "factors");
    for (int32_t i = 0; i < count; ++i) {
        require_size(factors[i].struct_size, sizeof *factors, "factors[]");
        check(&factors[i].a, "factors[].a");
        check(&factors[i].b, "factors[].b");
        check(&factors[i].bias, "factors[].bias");
        check(&factors[i].column_scale, "factors[].column_scale");
    }
}

}  // namespace

lk_status lk_lora_table_create(lk_context* context, const lk_lora_module* modules, int32_t module_count,
                               lk_lora_table** table_out) {
    return guard([&] {
        require(context, "context");
        require(table_out, "table_out");
        check_modules(modules, module_count);
        const Backend& backend = *context->backend;
        *table_out = new lk_lora_table(
            std::make_shared<LoraTable>(backend.device(), backend.adapter_memory(), modules, module_count));
    });
}

lk_status lk_lora_table_destroy(lk_lora_table* table) {
    return guard([&] { delete table; });
}

lk_status lk_lora_table_add(lk_context* context, lk_lora_table* table, const lk_lora_factors* factors,
                            int32_t factor_count, int64_t* adapter_out) {
    return guard([&] {
        const ContextLock lock(context);
        require(table, "table");
        check_device(table->table->device(), *lock->backend, "table");
        require(adapter_out, "adapter_out");
        check_factors(factors, factor_count, check_matrix);
        *adapter_out = table->table->add(*lock->backend, factors, factor_count);
    });
}

lk_status lk_lora_table_remove(lk_lora_table* table, int64_t adapter) {
    return guard([&] {
        require(table, "table");
        table->table->remove(adapter);
    });
}

lk_status lk_lora_table_bytes(const lk_lora_table* table, int64_t* bytes_out) {
    return guard([&] {
        require(table, "table");
        require(bytes_out, "bytes_out");
        *bytes_out = table->table->memory().held_bytes();
    });
}

lk_status lk_lora_table_reserved_bytes(const lk_lora_table* table, int64_t* bytes_out) {
    return guard([&] {
        require(table, "table");
        require(bytes_out, "bytes_out");
        *bytes_out = table->table->memory().reserved_bytes();
    });
}

lk_status lk_lora_table_trim(lk_lora_table* table) {
    return guard([&] {
        require(table, "table");
        table->table->memory().trim();
    });
}

lk_status lk_lora_adapter_bytes(const lk_lora_table* table, int64_t adapter, int64_t* bytes_out) {
    return guard([&] {
        require(table, "table");
        require(bytes_out, "bytes_out");
        *bytes_out = table->table->bytes_of(adapter);
    });
}

lk_status lk_lora_table_measure(const lk_lora_table* table, const lk_lora_factors* factors, int32_t factor_count,
                                int64_t* bytes_out) {
    return guard([&] {
        require(table, "table");
        require(bytes_out, "bytes_out");
        check_factors(factors, factor_count, check_shape);
        *bytes_out = table->table->measure(factors, factor_count);
    });
}

lk_status lk_lora_batch_create(lk_context* context, lk_lora_table* table, const lk_lora_batch_options* options,
                               lk_lora_batch** batch_out) {
    return guard([&] {
        require(context, "context");
        require(table, "table");
        check_device(table->table->device(), *context->backend, "table");
        require_struct(options, "options");
        require(batch_out, "batch_out");
        check_reserved(options->reserved, "options.reserved");
        check_extent(options->max_rows, "options.max_rows");
        check_extent(options->max_entries, "options.max_entries");
        check_extent(options->max_segments, "options.max_segments");
        check_extent(options->max_rank_tiles, "options.max_rank_tiles");
        *batch_out = new lk_lora_batch(table->table, *options, context->backend->create_batch(*options));
    });
}

lk_status lk_lora_batch_destroy(lk_lora_batch* batch) {
    return guard([&] { delete batch; });
}

lk_status lk_lora_batch_set(lk_context* context, lk_lora_batch* batch, const lk_lora_assignment* assignment) {
    return guard([&] {
        const ContextLock lock(context);
        require(batch, "batch");
        check_device(batch->table->device(), *lock->backend, "batch");
        require_struct(assignment, "assignment");
        check_reserved(assignment->reserved, "assignment.reserved");
        check_extent(assignment->rows, "assignment.rows");
        batch->set(*assignment, *lock->backend);
    });
}

lk_status lk_lora_shrink_columns(const lk_lora_batch* batch, int32_t module, int64_t* columns_out) {
    return guard([&] {
        require(batch, "batch");
        require(columns_out, "columns_out");
        *columns_out = widest_ranks(*batch->plan(), batch->table->module(module));
    });
}

lk_status lk_lora_shrink(lk_context* context, const lk_matrix* x, const lk_lora_batch* batch, int32_t module,
                         const lk_matrix* s) {
    return guard([&] {
        const ContextLock lock(context);
        check_matrix(x, "x");
        require(batch, "batch");
        check_device(batch->table->device(), *lock->backend, "batch");
        check_matrix(s, "s");
        const auto plan = batch->plan();
        const LoraModule& linear = plan->table->module(module);
        check_rows(*x, "x", plan->rows, "the batch's rows are");
        check_columns(*x, "x", linear.in_features, "the module's in_features are");
        check_intermediate(*s, *plan, linear);
        check_no_overlap(*s, "s", *x, "x");
        lock->backend->shrink(*x, *plan, module, *s, lock->workspace);
    });
}

lk_status lk_lora_expand(lk_context* context, const lk_matrix* s, const lk_lora_batch* batch, int32_t module,
                         const lk_matrix* y) {
    return guard([&] {
        const ContextLock lock(context);
        check_matrix(s, "s");
        require(batch, "batch");
        check_device(batch->table->device(), *lock->backend, "batch");
        check_matrix(y, "y");
        const auto plan = batch->plan();
        const LoraModule& linear = plan->table->module(module);
        check_rows(*y, "y", plan->rows, "the batch's rows are");
        check_columns(*y, "y", linear.out_features, "the module's out_features are");
        check_intermediate(*s, *plan, linear);
        check_no_overlap(*y, "y", *s, "s");
        lock->backend->expand(*s, *plan, module, *y, lock->workspace);
    });
}
