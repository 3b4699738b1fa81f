// y = x * W^T + adapters + bias in one pass, rounded once; matmul is linear without adapters.
#pragma once

#include "core/backend.h"

namespace lk::cpu {

namespace reference {
// Scalar, one thread, double precision sums, as close to the formulas as code can be. Slow; it allocates.
void linear(const LinearArguments& arguments, Workspace& workspace);
int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles);
}  // namespace reference

namespace portable {
void linear(const LinearArguments& arguments, Workspace& workspace);
int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles);
}  // namespace portable

}  // namespace lk::cpu
