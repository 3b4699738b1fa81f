// What the lanes of a warp do together: the last lane to arrive does it for all.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// `arguments` holds the pointer of each lane of `mask`.
using CollectiveBody = void (*)(Warp& warp, uint32_t mask, void* const* arguments);

// The lanes of `mask` that the warp has must all come here, from the same place. Returns when the body has run.
void collective(const char* name, uint32_t mask, void* argument, Site site, CollectiveBody body);

// Whether both are the same call in the kernel's source.
bool same_site(Site a, Site b);

// ---- What collectives and barriers make known ----

// The lane's knowledge, to be added to: its own clock from now on.
Clock& own_clock(Lane& lane);
// Adds to the lane's knowledge.
void acquire(Lane& lane, const Clock& clock);
// Adds what the lane knows and has done so far to `into`; what it does later is not in it.
void release(Lane& lane, Clock& into);
// Lets all of these lanes know what any of them knows and has done.
void synchronise(Warp& warp, uint32_t lanes);

}  // namespace lk::emulated
