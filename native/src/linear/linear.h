// y = x * W^T + adapters + bias in one pass, rounded once; matmul is linear without adapters.
#pragma once

#include "linear/path.h"
#include "lora/reference.h"

namespace lk::cpu {

namespace reference {
// Columns of a row before they are rounded.
void compute_columns(const LinearArguments& arguments, int64_t row, Columns columns, double* totals);

// Scalar, one thread, double precision sums, as close to the formulas as code can be. Slow; it allocates.
void linear(const LinearArguments& arguments, Workspace& workspace);
int64_t workspace_bytes(int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles);
}  // namespace reference

// Threaded, in blocks that the path's kernels compute.
namespace blocked {
void linear(const Path& path, const LinearArguments& arguments, Workspace& workspace);
int64_t workspace_bytes(const Path& path, int64_t rows, int64_t in_features, int64_t entries, int64_t rank_tiles);
}  // namespace blocked

}  // namespace lk::cpu
