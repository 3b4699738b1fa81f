#include "lora/reference.h"

#include "linear/linear.h"
#include "matmul/reference.h"

namespace lk::cpu::reference {

void linear(const LinearArguments& a, Workspace&) {
    std::vector<double> totals(size_t(a.y.columns));
    for (int64_t row = 0; row < a.y.rows; ++row) {
        for (int64_t n = 0; n < a.y.columns; ++n) totals[size_t(n)] = product(a.x, row, a.weight, n);
        if (a.plan != nullptr) add_adapters(a.x, *a.plan, a.plan->table->module(a.module), row, totals);
        for (int64_t n = 0; n < a.y.columns; ++n) {
            const double bias = a.bias == nullptr ? 0.0 : double(read(*a.bias, 0, n));
            write(a.y, row, n, static_cast<float>(totals[size_t(n)] + bias));
        }
    }
}

int64_t workspace_bytes(int64_t, int64_t, int64_t, int64_t) {
    return 0;
}

}  // namespace lk::cpu::reference
