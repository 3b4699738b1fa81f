// LoRA by its formula, in double precision.
#pragma once

#include <vector>

#include "core/matrix.h"
#include "lora/batch.h"

namespace lk::cpu::reference {

// totals += the adapters of a row, in the order of its entries: weight * scale * (x * A^T) * B^T. False if none.
bool add_adapters(const lk_matrix& x, const BatchPlan& plan, const LoraModule& module, int64_t row,
                  std::vector<double>& totals);

}  // namespace lk::cpu::reference
