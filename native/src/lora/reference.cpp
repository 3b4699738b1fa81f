#include "lora/reference.h"

#include <algorithm>

#include "lora/lora.h"

namespace lk::cpu::reference {
namespace {

double element_of_a(const LoraFactors& f, int64_t rank, int64_t k) {
    return with_dtype(f.a_dtype, [&]<class T>(T*) -> double {
        return to_float(
            static_cast<const T*>(f.a_tiles[size_t(rank / kRankTile)])[rank % kRankTile * f.in_features + k]);
    });
}

double element_of_b(const LoraFactors& f, int64_t rank, int64_t column) {
    const ColumnPanels::Rows rows = f.b.from(column);
    return with_dtype(f.b_dtype, [&]<class T>(T*) -> double {
        return to_float(reinterpret_cast<const T*>(rows.first)[rank * rows.stride]);
    });
}

// totals[n] += weight * scale * values * B^T for every slice, with its vectors.
void expand_entry(const Adapter& adapter, const LoraModule& module, float weight, const std::vector<double>& values,
                  Columns columns, double* totals) {
    const double* value = values.data();
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = adapter.factors_of(module.first_slice + int32_t(s));
        if (f == nullptr) continue;
        const int64_t offset = module.slices[s].offset;
        const int64_t begin = std::max(columns.first, offset);
        const int64_t end = std::min(columns.first + columns.count, offset + f->out_features);
        for (int64_t n = begin; n < end; ++n) {
            double sum = 0;
            for (int64_t r = 0; r < f->rank; ++r) {
                sum += value[r] * element_of_b(*f, r, n - offset);
            }
            double& total = totals[n - columns.first];
            total = f->updated(total, sum, double(weight) * double(f->scale), n - offset);
        }
        value += f->rank;
    }
}

// Visits the entries of a row that have an adapter.
template <class Visit>
void for_each_entry(const BatchPlan& plan, int64_t row, Visit&& visit) {
    for (int64_t e = plan.row_offsets[size_t(row)]; e < plan.row_offsets[size_t(row) + 1]; ++e) {
        if (const Adapter* adapter = plan.adapter_of(e); adapter != nullptr) visit(e, *adapter);
    }
}

std::vector<double> read_all(const lk_matrix& matrix, int64_t row) {
    std::vector<double> values(size_t(matrix.columns));
    for (int64_t c = 0; c < matrix.columns; ++c) values[size_t(c)] = double(read(matrix, row, c));
    return values;
}

void write_all(const lk_matrix& matrix, int64_t row, const std::vector<double>& values) {
    for (int64_t c = 0; c < matrix.columns; ++c) write(matrix, row, c, static_cast<float>(values[size_t(c)]));
}

}  // namespace

std::vector<double> shrink_row(const lk_matrix& x, int64_t row, const Adapter& adapter, const LoraModule& module) {
    std::vector<double> values;
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = adapter.factors_of(module.first_slice + int32_t(s));
        if (f == nullptr) continue;
        for (int64_t r = 0; r < f->rank; ++r) {
            double sum = 0;
            for (int64_t k = 0; k < x.columns; ++k) {
                sum += double(read(x, row, k)) * element_of_a(*f, r, k);
            }
            values.push_back(sum);
        }
    }
    return values;
}

void add_adapters(const lk_matrix& x, const BatchPlan& plan, const LoraModule& module, int64_t row, Columns columns,
                  double* totals) {
    for_each_entry(plan, row, [&](int64_t e, const Adapter& adapter) {
        expand_entry(adapter, module, plan.weights[size_t(e)], shrink_row(x, row, adapter, module), columns, totals);
    });
}

void add_expanded(const lk_matrix& s, const BatchPlan& plan, const LoraModule& module, int64_t row, Columns columns,
                  double* totals) {
    for_each_entry(plan, row, [&](int64_t e, const Adapter& adapter) {
        expand_entry(adapter, module, plan.weights[size_t(e)], read_all(s, e), columns, totals);
    });
}

void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& s, Workspace&) {
    const LoraModule& module = plan.table->module(module_index);
    for (int64_t e = 0; e < plan.entries(); ++e) {
        std::vector<double> values;
        if (const Adapter* adapter = plan.adapter_of(e); adapter != nullptr) {
            values = shrink_row(x, plan.row_of_entry[size_t(e)], *adapter, module);
        }
        values.resize(size_t(s.columns), 0.0);
        write_all(s, e, values);
    }
}

void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module_index, const lk_matrix& y, Workspace&) {
    const LoraModule& module = plan.table->module(module_index);
    for (int64_t row = 0; row < y.rows; ++row) {
        if (!plan.has_adapter(row)) continue;
        std::vector<double> totals = read_all(y, row);
        add_expanded(s, plan, module, row, {0, y.columns}, totals.data());
        write_all(y, row, totals);
    }
}

void apply(const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& y, Workspace&) {
    const LoraModule& module = plan.table->module(module_index);
    for (int64_t row = 0; row < y.rows; ++row) {
        if (!plan.has_adapter(row)) continue;
        std::vector<double> totals = read_all(y, row);
        add_adapters(x, plan, module, row, {0, y.columns}, totals.data());
        write_all(y, row, totals);
    }
}

}  // namespace lk::cpu::reference
