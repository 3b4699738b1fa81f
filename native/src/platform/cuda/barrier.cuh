// Barriers of a block: all lanes of a warp call them together, from the same place.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// All threads of the block. PTX ISA 9.7.13.1 "bar.sync".
LK_DEVICE void block_sync(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::block_sync(site);
#else
    __syncthreads();
#endif
}

// The same, and whether any, whether all threads have the predicate. PTX ISA 9.7.13.1 "bar.red".
LK_DEVICE bool block_sync_or(bool predicate LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::block_sync_or(predicate, site);
#else
    return __syncthreads_or(predicate) != 0;
#endif
}

LK_DEVICE bool block_sync_and(bool predicate LK_SITE) {
#if defined(LK_EMULATED)
    return emulated::block_sync_and(predicate, site);
#else
    return __syncthreads_and(predicate) != 0;
#endif
}

// A named barrier (1 … 15) of this many threads, a multiple of 32, that wait and arrive. 0 is block_sync's.
// PTX ISA 9.7.13.1 "bar.sync".
LK_DEVICE void barrier_sync(int id, int threads LK_SITE) {
#if defined(LK_EMULATED)
    emulated::barrier_sync(id, threads, site);
#else
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}

// Arrives without waiting. PTX ISA 9.7.13.1 "bar.arrive".
LK_DEVICE void barrier_arrive(int id, int threads LK_SITE) {
#if defined(LK_EMULATED)
    emulated::barrier_arrive(id, threads, site);
#else
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
#endif
}

}  // namespace lk::cuda
