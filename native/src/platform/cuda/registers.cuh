// Moves registers from the warps that copy to those that compute (sm_90a, LK_HAS_WGMMA). All four warps of a warpgroup
// call it; Registers is a multiple of 8 from 24 to 256. PTX ISA 9.7.19.5 "setmaxnreg".
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Waits until the block's pool holds enough registers.
template <int Registers>
LK_DEVICE void registers_increase(LK_SITE_ONLY) {
    static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
#if defined(LK_EMULATED)
    emulated::registers_increase<Registers>(site);
#else
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

template <int Registers>
LK_DEVICE void registers_decrease(LK_SITE_ONLY) {
    static_assert(Registers >= 24 && Registers <= 256 && Registers % 8 == 0);
#if defined(LK_EMULATED)
    emulated::registers_decrease<Registers>(site);
#else
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(Registers));
#endif
}

}  // namespace lk::cuda
