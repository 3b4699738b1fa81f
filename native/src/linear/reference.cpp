#include "linear/reference.h"

#include <vector>

#include "core/matrix.h"
#include "lora/batch.h"
#include "packing/weight.h"

namespace lk::cpu::reference {
namespace {

float read(const lk_matrix& matrix, int64_t row, int64_t column) {
    float value;
    read_row(matrix, row, column, 1, &value);
    return value;
}

void write(const lk_matrix& matrix, int64_t row, int64_t column, double value) {
    const auto rounded = static_cast<float>(value);
    write_row(matrix, row, column, 1, &rounded);
}

double element(const std::vector<const void*>& tiles, lk_dtype dtype, int64_t length, int64_t rank, int64_t i) {
    return with_dtype(dtype, [&]<class T>(T*) -> double {
        return to_float(static_cast<const T*>(tiles[size_t(rank / kRankTile)])[rank % kRankTile * length + i]);
    });
}

// x * A^T of a row: the slices' ranks one after the other.
std::vector<double> shrink_row(const lk_matrix& x, int64_t row, const Adapter& adapter, const LoraModule& module) {
    std::vector<double> values;
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = adapter.factors_of(module.first_slice + int32_t(s));
        if (f == nullptr) continue;
        for (int64_t r = 0; r < f->rank; ++r) {
            double sum = 0;
            for (int64_t k = 0; k < x.columns; ++k) {
                sum += double(read(x, row, k)) * element(f->a_tiles, f->a_dtype, f->in_features, r, k);
            }
            values.push_back(sum);
        }
    }
    return values;
}

// totals[n] += weight * scale * values * B^T for every slice.
void expand_entry(const Adapter& adapter, const LoraModule& module, float weight, const std::vector<double>& values,
                  std::vector<double>& totals) {
    size_t first = 0;
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* f = adapter.factors_of(module.first_slice + int32_t(s));
        if (f == nullptr) continue;
        for (int64_t n = 0; n < f->out_features; ++n) {
            double sum = 0;
            for (int64_t r = 0; r < f->rank; ++r) {
                sum += values[first + size_t(r)] * element(f->b_tiles, f->b_dtype, f->out_features, r, n);
            }
            totals[size_t(module.slices[s].offset + n)] += double(weight) * double(f->scale) * sum;
        }
        first += size_t(f->rank);
    }
}

}  // namespace

void linear(const LinearArguments& a, Workspace&) {
    const LoraModule* module = a.plan == nullptr ? nullptr : &a.plan->table->module(a.module);
    for (int64_t row = 0; row < a.y.rows; ++row) {
        std::vector<double> totals(size_t(a.y.columns), 0.0);
        for (int64_t n = 0; n < a.y.columns; ++n) {
            if (a.weight == nullptr) {
                totals[size_t(n)] = read(a.y, row, n);
                continue;
            }
            for (int64_t k = 0; k < a.x.columns; ++k) {
                totals[size_t(n)] += double(read(a.x, row, k)) * double(weight_at(*a.weight, n, k));
            }
        }
        bool has_adapters = false;
        if (module != nullptr) {
            for (int64_t e = a.plan->row_offsets[size_t(row)]; e < a.plan->row_offsets[size_t(row) + 1]; ++e) {
                const Adapter* adapter = a.plan->adapter_of(e);
                if (adapter == nullptr) continue;
                expand_entry(*adapter, *module, a.plan->weights[size_t(e)], shrink_row(a.x, row, *adapter, *module),
                             totals);
                has_adapters = true;
            }
        }
        if (a.weight == nullptr && !has_adapters) continue;
        for (int64_t n = 0; n < a.y.columns; ++n) {
            const double bias = a.bias == nullptr ? 0.0 : double(read(*a.bias, 0, n));
            write(a.y, row, n, totals[size_t(n)] + bias);
        }
    }
}

void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module_index, const lk_matrix& s, Workspace&) {
    const LoraModule& module = plan.table->module(module_index);
    for (int64_t e = 0; e < plan.entries(); ++e) {
        std::vector<double> values;
        if (const Adapter* adapter = plan.adapter_of(e); adapter != nullptr) {
            values = shrink_row(x, plan.row_of_entry[size_t(e)], *adapter, module);
        }
        values.resize(size_t(s.columns), 0.0);
        for (int64_t c = 0; c < s.columns; ++c) write(s, e, c, values[size_t(c)]);
    }
}

void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module_index, const lk_matrix& y, Workspace&) {
    const LoraModule& module = plan.table->module(module_index);
    for (int64_t row = 0; row < y.rows; ++row) {
        std::vector<double> totals(size_t(y.columns));
        for (int64_t n = 0; n < y.columns; ++n) totals[size_t(n)] = read(y, row, n);
        bool has_adapters = false;
        for (int64_t e = plan.row_offsets[size_t(row)]; e < plan.row_offsets[size_t(row) + 1]; ++e) {
            const Adapter* adapter = plan.adapter_of(e);
            if (adapter == nullptr) continue;
            std::vector<double> values(size_t(s.columns));
            for (int64_t c = 0; c < s.columns; ++c) values[size_t(c)] = read(s, e, c);
            expand_entry(*adapter, module, plan.weights[size_t(e)], values, totals);
            has_adapters = true;
        }
        for (int64_t n = 0; n < y.columns && has_adapters; ++n) write(y, row, n, totals[size_t(n)]);
    }
}

int64_t workspace_bytes(int64_t, int64_t, int64_t, int64_t) {
    return 0;
}

}  // namespace lk::cpu::reference
