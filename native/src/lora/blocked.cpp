#include "lora/blocked.h"

#include "lora/lora.h"
#include "lora/reference.h"

namespace lk::cpu::blocked {
namespace {

bool row_is_finite(const lk_matrix& matrix, int64_t row) {
    for (int64_t c = 0; c < matrix.columns; ++c) {
        if (!std::isfinite(read(matrix, row, c))) return false;
    }
    return true;
}

// y += the adapters of rows [first_row, first_row + rows). Rows without an adapter are not touched.
// Where fp32 overflowed, is_finite(row) tells whether the inputs were finite; then add_exactly(row, columns, totals)
// computes in double precision (see linear/blocked.cpp).
template <class IsFinite, class AddExactly>
void expand_rows(const Path& path, const BatchPlan& plan, const LoraModule& module, const Intermediate& intermediate,
                 int64_t first_row, int64_t rows, const lk_matrix& y, const IsFinite& is_finite,
                 const AddExactly& add_exactly) {
    const int64_t panels = divide_up(y.columns, PanelLayout::kColumns);
    ThreadPool::shared().parallel_for(rows * panels, [&](int64_t item) {
        const int64_t row = first_row + item / panels;
        if (!plan.has_adapter(row)) return;
        const int64_t column = item % panels * PanelLayout::kColumns;
        const int64_t columns = std::min(PanelLayout::kColumns, y.columns - column);
        float before[PanelLayout::kColumns], totals[PanelLayout::kColumns];
        read_row(y, row, column, columns, before);
        std::copy_n(before, columns, totals);
        expand_row(path, plan, module, intermediate, row, column, columns, totals);
        if (!all_finite(totals, columns) && all_finite(before, columns) && plan.adapters_are_finite(row, module) &&
            is_finite(row)) {
            double exact[PanelLayout::kColumns];
            std::copy_n(before, columns, exact);
            add_exactly(row, reference::Columns{column, columns}, exact);
            for (int64_t c = 0; c < columns; ++c) {
                if (!std::isfinite(totals[c])) totals[c] = static_cast<float>(exact[c]);
            }
        }
        write_row(y, row, column, columns, totals);
    });
}

// The same for shrink's result of an entry.
void undo_overflow(const lk_matrix& x, const BatchPlan& plan, const LoraModule& module, int64_t entry, float* values) {
    const Adapter& adapter = *plan.adapter_of(entry);
    const int64_t row = plan.row_of_entry[size_t(entry)];
    if (all_finite(values, adapter.ranks_in(module)) || !adapter.is_finite_in(module) || !row_is_finite(x, row)) return;
    for (const double exact : reference::shrink_row(x, row, adapter, module)) {
        if (!std::isfinite(*values)) *values = static_cast<float>(exact);
        ++values;
    }
}

}  // namespace

void shrink(const Path& path, const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& s,
            Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = Scratch::reserve(workspace, path, x.rows, x.columns, &plan, &module);
    for (int64_t first = 0; first < x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, x.rows - first);
        widen_rows(x, first, rows, scratch.x);
        shrink_rows(path, plan, module, scratch.intermediate, scratch.x, first, rows);
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
        undo_overflow(x, plan, module, e, row_of<float>(s, e));
    }
}

void expand(const Path& path, const lk_matrix& s, const BatchPlan& plan, int32_t module_index, const lk_matrix& y,
            Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = Scratch::reserve(workspace, path, 0, 0, &plan, &module);
    for (int64_t e = 0; e < plan.entries(); ++e) {
        const Adapter* adapter = plan.adapter_of(e);
        if (adapter == nullptr || s.columns == 0) continue;
        const float* in = row_of<const float>(s, e);
        for_each_update(*adapter, module, scratch.intermediate.values + scratch.intermediate.offsets[e],
                        [&](const LoraFactors& factors, const lk_output_slice&, float* values) {
                            float* const end = values + rank_tiles(factors.rank) * kRankTile;
                            std::fill(std::copy_n(in, factors.rank, values), end, 0.0f);
                            in += factors.rank;
                        });
    }
    expand_rows(
        path, plan, module, scratch.intermediate, 0, y.rows, y,
        [&](int64_t row) {
            const int64_t begin = scratch.intermediate.offsets[plan.row_offsets[size_t(row)]];
            const int64_t end = scratch.intermediate.offsets[plan.row_offsets[size_t(row) + 1]];
            return all_finite(scratch.intermediate.values + begin, end - begin);
        },
        [&](int64_t row, reference::Columns columns, double* totals) {
            reference::add_expanded(s, plan, module, row, columns, totals);
        });
}

void apply(const Path& path, const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& y,
           Workspace& workspace) {
    const LoraModule& module = plan.table->module(module_index);
    Scratch scratch = Scratch::reserve(workspace, path, x.rows, x.columns, &plan, &module);
    for (int64_t first = 0; first < x.rows; first += kChunkRows) {
        const int64_t rows = std::min(kChunkRows, x.rows - first);
        widen_rows(x, first, rows, scratch.x);
        shrink_rows(path, plan, module, scratch.intermediate, scratch.x, first, rows);
        expand_rows(
            path, plan, module, scratch.intermediate, first, rows, y,
            [&](int64_t row) { return row_is_finite(x, row); },
            [&](int64_t row, reference::Columns columns, double* totals) {
                reference::add_adapters(x, plan, module, row, columns, totals);
            });
    }
}

}  // namespace lk::cpu::blocked
