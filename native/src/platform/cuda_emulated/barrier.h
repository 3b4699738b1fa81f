// Barriers of a block.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// A block barrier waits for the threads that have not exited: the last to exit may be all it waited for.
void release_barrier_after_exit(Block& block);

}  // namespace lk::emulated
