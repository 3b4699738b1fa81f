// The reference path: scalar, one thread, double precision sums, as close to the formulas as code can be. Slow; it
// allocates.
#pragma once

#include "core/backend.h"

namespace lk::cpu::reference {

void linear(const LinearArguments& arguments, Workspace& workspace);
void shrink(const lk_matrix& x, const BatchPlan& plan, int32_t module, const lk_matrix& s, Workspace& workspace);
void expand(const lk_matrix& s, const BatchPlan& plan, int32_t module, const lk_matrix& y, Workspace& workspace);
int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles);

}  // namespace lk::cpu::reference
