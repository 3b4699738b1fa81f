// Hints to the L2 cache, made once per kernel and handed to loads and copies.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Opaque. A hint changes no value, so the emulated device ignores it.
struct CachePolicy {
    uint64_t bits;
};

// Data read once, such as weights: the first to leave L2. PTX ISA 9.7.9.18 "createpolicy".
LK_DEVICE CachePolicy evict_first() {
#if defined(LK_EMULATED)
    return {0};
#else
    CachePolicy policy;
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy.bits));
    return policy;
#endif
}

// Data that every block reads again, such as activations: the last to leave L2. PTX ISA 9.7.9.18 "createpolicy".
LK_DEVICE CachePolicy evict_last() {
#if defined(LK_EMULATED)
    return {0};
#else
    CachePolicy policy;
    asm("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy.bits));
    return policy;
#endif
}

}  // namespace lk::cuda
