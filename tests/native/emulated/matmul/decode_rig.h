// Launches of the decode kernel.
#pragma once

#include "matmul/cuda/decode.h"
#include "matmul/matmul_rig.h"

namespace lk::cuda::testing {

// For run_matmul, with as many warps as on an architecture.
template <int ComputeCapability>
LaunchReport launch_decode_of(const MatmulArguments& arguments, const Options& options) {
    const LaunchConfig config = decode_launch(arguments, decode_warps(ComputeCapability));
    return emulated::testing::run(decode_kernel_for(arguments.weight, arguments.x.dtype),
                                  {.grid = config.grid, .block = config.block, .dynamic_shared = config.shared_bytes},
                                  options, arguments);
}
inline constexpr auto launch_decode = launch_decode_of<90>;

}  // namespace lk::cuda::testing
