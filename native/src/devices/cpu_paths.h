// Which instruction set path the CPU backend takes.
#pragma once

#include "devices/cpu_kernels.h"

namespace lk::cpu {

// LK_CPU_AUTO: what the environment variable LORAKERNELS_CPU names, else the fastest path this processor runs.
// Throws LK_UNSUPPORTED for a path the processor cannot run, LK_INVALID_ARGUMENT for an unknown one.
const Kernels& choose_path(lk_cpu_isa isa);

}  // namespace lk::cpu
