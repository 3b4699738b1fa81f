// The CUDA runtime and the few driver types that host code uses: the toolkit's headers, or the emulated device's.
// libcuda is never linked; its functions are looked up (driver.h).
#pragma once

#if defined(LK_EMULATED)
#include "platform/cuda_emulated/cuda_api.h"
#else
#include <cuda.h>
#include <cuda_runtime_api.h>
#endif
