// The compiled batch kernels: a unit for each codec, so that they compile side by side.
#pragma once

#include "matmul/cuda/batch.h"

namespace lk::cuda {

BatchKernel batch_affine(lk_dtype dtype, int tokens);
BatchKernel batch_affine_minimum(lk_dtype dtype, int tokens);
BatchKernel batch_table(lk_dtype dtype, int tokens);
BatchKernel batch_e2m1(lk_dtype dtype, int tokens);
BatchKernel batch_e2m1_scaled(lk_dtype dtype, int tokens);

}  // namespace lk::cuda
