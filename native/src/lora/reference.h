// LoRA by its formula, in double precision.
#pragma once

#include <vector>

#include "core/matrix.h"
#include "lora/batch.h"

namespace lk::cpu::reference {

// A run of y's columns.
struct Columns {
    int64_t first;
    int64_t count;
};

// totals += the adapters of a row, in the order of its entries: weight * scale * (x * A^T) * B^T.
void add_adapters(const lk_matrix& x, const BatchPlan& plan, const LoraModule& module, int64_t row, Columns columns,
                  double* totals);

// The same from shrink's result.
void add_expanded(const lk_matrix& s, const BatchPlan& plan, const LoraModule& module, int64_t row, Columns columns,
                  double* totals);

// x * A^T of an entry: the slices' ranks one after the other.
std::vector<double> shrink_row(const lk_matrix& x, int64_t row, const Adapter& adapter, const LoraModule& module);

}  // namespace lk::cpu::reference
