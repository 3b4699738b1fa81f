// Programmatic dependent launch: a kernel launched with LaunchConfig::programmatic may start while the one before it on
// the stream still runs, and does what needs no data of it first. Without effect in other launches and below sm_90.
// PTX ISA 9.7.13.13 "griddepcontrol".
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Waits until the kernels before have ended and their writes are seen.
LK_DEVICE void grid_dependency_wait(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::grid_dependency_wait(site);
#elif LK_HAS_BULK_COPY
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Lets the next kernel start once all blocks have called it or ended. It says nothing about this kernel's writes.
LK_DEVICE void grid_launch_dependents(LK_SITE_ONLY) {
#if defined(LK_EMULATED)
    emulated::grid_launch_dependents(site);
#elif LK_HAS_BULK_COPY
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

}  // namespace lk::cuda
