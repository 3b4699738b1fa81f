// Copies into shared memory that complete on an mbarrier, at a moment that the seed chooses.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// Lands one of the block's loads under way.
void land_load(Block& block);

// Lands one cp.async, unless it has landed: its bytes count as written by `writer` at `tick`.
void land_copy(Lane& lane, CpAsync& copy, uint16_t writer, uint32_t tick);

}  // namespace lk::emulated
