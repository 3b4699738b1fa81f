// mbarriers: phases of arrivals and landed bytes.
#pragma once

#include <string>

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// The barrier that lives at the address, which the lane must know of; else the launch ends.
MBarrier& find_mbarrier(Lane& lane, const uint64_t* address);
// The same for the copy engine, which also needs fence_mbarrier_init.
MBarrier& find_mbarrier_for_copy(Lane& lane, const uint64_t* address);

// Null if it has been invalidated meanwhile.
MBarrier* mbarrier_at(Block& block, const uint64_t* address);

// What lands in the barrier's present phase counts as written at this tick of its row.
inline uint32_t landing_tick(const MBarrier& barrier) {
    return barrier.phase + 1;
}

// Bytes have landed; an arrival of somebody who waited for cp.async has come.
void complete_bytes(Block& block, MBarrier& barrier, uint32_t bytes);
void complete_arrival(Block& block, MBarrier& barrier);

// Those that have begun a phase and not ended it.
std::string describe_mbarriers(const Block& block);

}  // namespace lk::emulated
