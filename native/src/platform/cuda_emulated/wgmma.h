// Products of a warpgroup, which read shared memory as late as their wait.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// For a new block.
void reset_wgmma(Warp& warp);

// A lane returns from the kernel: all products must have been waited for.
void check_wgmma_exit(Lane& lane);

// A plain access to a variable of the lane while products are under way.
void check_accumulator_access(Lane& lane, const void* address, size_t bytes, const void* pc);

}  // namespace lk::emulated
