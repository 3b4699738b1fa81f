// y = x * W^T for up to eight tokens, at the speed of memory.
#pragma once

#include "matmul/cuda/arguments.h"
#include "matmul/cuda/decode_block.h"

namespace lk::cuda {

// The kernel for a weight and tokens of this type, or NULL: fp32, raw weights, float zero points, groups that straddle
// rows or have no interval.
MatmulKernel decode_kernel_for(const FragmentView& weight, lk_dtype dtype);

// How it is launched, with decode_warps() of the device.
LaunchConfig decode_launch(const MatmulArguments& arguments, int warps);

// One unit of compilation for each kind of value.
MatmulKernel decode_affine_kernel(const FragmentView& weight, lk_dtype dtype);
MatmulKernel decode_table_kernel(const FragmentView& weight, lk_dtype dtype);
MatmulKernel decode_e2m1_kernel(const FragmentView& weight, lk_dtype dtype);

}  // namespace lk::cuda
