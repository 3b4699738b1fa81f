// Stores of the copy engine, which read shared memory and write global memory as late as they may.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// At the end of a block: what its stores have not yet written.
void land_all_stores(Lane& lane);

}  // namespace lk::emulated
