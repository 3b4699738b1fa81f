// What the 32 lanes of a warp do together. All lanes named by the mask must call, from the same place.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

inline constexpr uint32_t all_lanes = 0xffffffffu;

// PTX ISA 10.3 "%laneid"; blocks are one-dimensional.
LK_DEVICE uint32_t lane_id() {
    return threadIdx.x % 32;
}

// Orders the lanes' accesses to shared and global memory; no other function here does.
// PTX ISA 9.7.13.2 "bar.warp.sync".
LK_DEVICE void warp_sync(uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    emulated::warp_sync(mask, site);
#else
    __syncwarp(mask);
#endif
}

// The value of another lane: of lane `lane`, lane ^ bits, lane + delta, lane − delta (its own past the ends).
// 4-byte types. PTX ISA 9.7.9.6 "shfl.sync".
template <class T>
LK_DEVICE T shuffle(T value, uint32_t lane, uint32_t mask = all_lanes LK_SITE) {
    static_assert(sizeof(T) == 4);
#if defined(LK_EMULATED)
    return emulated::shuffle(value, lane, mask, site);
#else
    return __shfl_sync(mask, value, static_cast<int>(lane));
#endif
}

template <class T>
LK_DEVICE T shuffle_xor(T value, uint32_t bits, uint32_t mask = all_lanes LK_SITE) {
    static_assert(sizeof(T) == 4);
#if defined(LK_EMULATED)
    return emulated::shuffle_xor(value, bits, mask, site);
#else
    return __shfl_xor_sync(mask, value, static_cast<int>(bits));
#endif
}

template <class T>
LK_DEVICE T shuffle_down(T value, uint32_t delta, uint32_t mask = all_lanes LK_SITE) {
    static_assert(sizeof(T) == 4);
#if defined(LK_EMULATED)
    return emulated::shuffle_down(value, delta, mask, site);
#else
    return __shfl_down_sync(mask, value, delta);
#endif
}

template <class T>
LK_DEVICE T shuffle_up(T value, uint32_t delta, uint32_t mask = all_lanes LK_SITE) {
    static_assert(sizeof(T) == 4);
#if defined(LK_EMULATED)
    return emulated::shuffle_up(value, delta, mask, site);
#else
    return __shfl_up_sync(mask, value, delta);
#endif
}

// One bit a lane; whether any, whether all lanes have the predicate. PTX ISA 9.7.13.9 "vote.sync".
LK_DEVICE uint32_t ballot(bool predicate, uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::ballot(predicate, mask, site);
#else
    return __ballot_sync(mask, predicate);
#endif
}

LK_DEVICE bool any(bool predicate, uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::any(predicate, mask, site);
#else
    return __any_sync(mask, predicate) != 0;
#endif
}

LK_DEVICE bool all(bool predicate, uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::all(predicate, mask, site);
#else
    return __all_sync(mask, predicate) != 0;
#endif
}

// The lanes that have this lane's value. PTX ISA 9.7.13.10 "match.sync".
LK_DEVICE uint32_t match_any(uint32_t value, uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::match_any(value, mask, site);
#else
    return __match_any_sync(mask, value);
#endif
}

// True in one lane of the converged warp, always the same. The compiler then knows that one thread alone goes on, which
// lane_id() == 0 does not tell it: copies started under that become a loop over lanes.
// PTX ISA 9.7.13.14 "elect.sync"; below sm_90 lane 0.
LK_DEVICE bool elect_one(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    return emulated::elect_one(site);
#elif LK_HAS_BULK_COPY
    uint32_t elected;
    asm volatile("{ .reg .pred p; elect.sync _|p, 0xffffffff; selp.b32 %0, 1, 0, p; }" : "=r"(elected));
    return elected != 0;
#else
    __syncwarp();
    return lane_id() == 0;
#endif
}

// The sum over the lanes. PTX ISA 9.7.13.12 "redux.sync".
LK_DEVICE int32_t warp_reduce_add(int32_t value, uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::warp_reduce_add(value, mask, site);
#else
    return __reduce_add_sync(mask, value);
#endif
}

LK_DEVICE uint32_t warp_reduce_add(uint32_t value, uint32_t mask = all_lanes LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::warp_reduce_add(value, mask, site);
#else
    return __reduce_add_sync(mask, value);
#endif
}

}  // namespace lk::cuda
