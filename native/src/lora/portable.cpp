#include "lora/portable.h"

#include "lora/lora.h"

namespace lk::cpu::portable {
namespace {

bool has_adapter(const BatchPlan& plan, int64_t row) {
    for (int64_t e = plan.row_offsets[size_t(row)]; e < plan.row_offsets[size_t(row) + 1]; ++e) {
        if (plan.adapter_of(e) != nullptr) return true;
    }
    return false;
}

// y += the adapters of rows [first_row, first_row + rows). Rows without an adapter are not touched.
void expand_rows(const BatchPlan& plan, const LoraModule& module, const Intermediate& intermediate, int64_t first_row,
                 int64_t rows, const lk_matrix& y) {
    const int64_t panels = divide_up(y.columns, PanelLayout::kColumns);
    ThreadPool::shared().parallel_for(rows * panels, [&](int64_t item) {
        const int64_t row = first_row + item / panels;
        if (!has_adapter(plan, row)) return;
        const int64_t column = item % panels * PanelLayout::kColumns;
        const int64_t columns = std::min(PanelLayout::kColumns, y.columns - column);
        float totals[PanelLayout::kColumns];
        read_row(y, row, column, columns, totals);
        expand_row(plan, module, intermediate, row, column, columns, totals);
        write_row(y, row, column, columns, totals);
    });
}

}  // namespace

void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& s, Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = Scratch::reserve(workspace, x.rows, x.columns, &plan);
    scratch.intermediate.set_offsets(plan, module);
    for (int64_t first = 0; first < x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, x.rows - first);
        widen_rows(x, first, rows, scratch.x);
        shrink_rows(plan, module, scratch.intermediate, scratch.x, first, rows);
    }
    for (int64_t e = 0; e < plan.entries() && s.columns > 0; ++e) {
        float* out = row_of<float>(s, e);
        std::fill(out, out + s.columns, 0.0f);
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr) continue;
        for_each_update(*adapter, module, scratch.intermediate.values + scratch.intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice&, const float* values) {
                            out = std::copy_n(values, factors.rank, out);
                        });
    }
}

void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module_index, const lk_matrix& y, Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = Scratch::reserve(workspace, 0, 0, &plan);
    scratch.intermediate.set_offsets(plan, module);
    for (int64_t e = 0; e < plan.entries(); ++e) {
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr || s.columns == 0) continue;
        const float* in = row_of<const float>(s, e);
        for_each_update(*adapter, module, scratch.intermediate.values + scratch.intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice&, float* values) {
                            std::copy_n(in, factors.rank, values);
                            in += factors.rank;
                        });
    }
    expand_rows(plan, module, scratch.intermediate, 0, y.rows, y);
}

void apply(const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& y, Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = Scratch::reserve(workspace, x.rows, x.columns, &plan);
    scratch.intermediate.set_offsets(plan, module);
    for (int64_t first = 0; first < x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, x.rows - first);
        widen_rows(x, first, rows, scratch.x);
        shrink_rows(plan, module, scratch.intermediate, scratch.x, first, rows);
        expand_rows(plan, module, scratch.intermediate, first, rows, y);
    }
}

}  // namespace lk::cpu::portable
