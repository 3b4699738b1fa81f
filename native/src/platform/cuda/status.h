// CUDA's errors as lk_status, with what to do about them.
#pragma once

#include "core/error.h"
#include "platform/cuda/api.h"

namespace lk::cuda {

// LK_OUT_OF_MEMORY, LK_DEVICE_LOST (the context is gone for good), LK_DRIVER_TOO_OLD, LK_ARCHITECTURE_NOT_BUILT,
// LK_DEVICE_UNAVAILABLE, or LK_INTERNAL for what a correct library never meets.
lk_status status_of(cudaError_t error);

// Throws an Error; `what` is the call that failed. Errors that are not sticky are cleared, so that the host's own
// cudaGetLastError does not report them a second time.
[[noreturn]] void fail_cuda(cudaError_t error, const char* what);

inline void check(cudaError_t error, const char* what) {
    if (error != cudaSuccess) fail_cuda(error, what);
}

// The driver's errors have the runtime's numbers.
inline void check(CUresult error, const char* what) {
    if (error != CUDA_SUCCESS) fail_cuda(static_cast<cudaError_t>(error), what);
}

}  // namespace lk::cuda
