// Launches of the decode kernel.
#pragma once

#include "matmul/cuda/decode.h"
#include "matmul/matmul_rig.h"

namespace lk::cuda::testing {

// For run_matmul.
inline LaunchReport launch_decode(const MatmulArguments& arguments, const Options& options) {
    const LaunchConfig config = decode_launch(arguments);
    return emulated::testing::run(decode_kernel_for(arguments.weight, arguments.x.dtype),
                                  {.grid = config.grid, .block = config.block, .dynamic_shared = config.shared_bytes},
                                  options, arguments);
}

}  // namespace lk::cuda::testing
