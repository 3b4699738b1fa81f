// Which fiber runs next. Lanes of a warp, warps of a block and blocks take turns in seeded orders.
#pragma once

#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// Every primitive begins with this: where the lane is, for reports.
inline Lane& enter(const char* primitive, Site site) {
    Lane& lane = *current_lane;
    lane.doing = primitive;
    lane.site = site;
    return lane;
}

// One bit of the mask, none of which is preferred. The mask is not 0.
inline uint32_t pick_bit(uint32_t mask, uint32_t random) {
    const uint32_t shift = random & 31;
    const uint32_t turned = mask >> shift | (shift != 0 ? mask << (32 - shift) : 0);
    return (uint32_t(__builtin_ctz(turned)) + shift) & 31;
}

// Goes on with another lane; returns when this one runs again. Finds the dead-lock if there is none to go on with.
void switch_away();

// The running lane waits until somebody makes it runnable.
void park();
void wake(Lane& lane);
void wake(Warp& warp, uint32_t lanes);

// After a collective: other warps may go first.
void maybe_yield();

// A poll that found nothing: lets others run, and ends launches in which nothing else happens any more.
void poll_failed();

// Starts blocks that fit, up to `count` more.
void start_blocks(Run& run, uint32_t count);

// The lane's kernel has returned.
[[noreturn]] void exit_lane();

}  // namespace lk::emulated
