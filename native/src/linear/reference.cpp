#include "matmul/reference.h"

#include "linear/linear.h"

namespace lk::cpu::reference {

void compute_columns(const LinearArguments& a, int64_t row, Columns columns, double* totals) {
    for (int64_t c = 0; c < columns.count; ++c) totals[c] = product(a.x, row, a.weight, columns.first + c);
    if (a.plan != nullptr) {
        add_adapters(a.x, *a.plan, a.plan->table->module(a.module), row, columns, totals);
    }
    for (int64_t c = 0; c < columns.count && a.bias != nullptr; ++c) {
        totals[c] += double(read(*a.bias, 0, columns.first + c));
    }
}

void linear(const LinearArguments& a, Workspace&) {
    std::vector<double> totals(size_t(a.y.columns));
    for (int64_t row = 0; row < a.y.rows; ++row) {
        compute_columns(a, row, {0, a.y.columns}, totals.data());
        for (int64_t n = 0; n < a.y.columns; ++n) write(a.y, row, n, static_cast<float>(totals[size_t(n)]));
    }
}

int64_t workspace_bytes(int64_t, int64_t, int64_t, int64_t) {
    return 0;
}

}  // namespace lk::cpu::reference
