// Rows of x as tensor-core kernels read them: 16-byte vectors, whole k-blocks, k in the weight's packed order. Where
// the caller's rows are not like that, one small kernel makes a copy that is.
#pragma once

#include "matmul/cuda/arguments.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// Whether kernels cannot read the caller's rows.
bool needs_staging(const FragmentView& weight, const lk_matrix& x);

// Bytes of the copy, which begins at a multiple of 16.
int64_t staged_bytes(const FragmentView& weight, const lk_matrix& x);

// The caller's rows, which need no staging.
Tokens unstaged(const lk_matrix& x);
// Their copy: rows of whole k-blocks side by side, zeros behind the last k.
Tokens stage_x(const Stream& stream, const FragmentView& weight, const lk_matrix& x, void* staged);

}  // namespace lk::cuda
