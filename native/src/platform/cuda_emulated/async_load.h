// Copies into shared memory that complete on an mbarrier, at a moment that the seed chooses.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// Lands one of the block's loads under way.
void land_load(Block& block);

// Lands one cp.async, unless it has landed: what it wrote is seen by whoever waits for the mbarrier, or by the lane
// alone (null) until a barrier.
void land_copy(Lane& lane, CpAsync& copy, const MBarrier* mbarrier);

}  // namespace lk::emulated
