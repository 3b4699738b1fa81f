// The CUDA devices of this build: real ones, emulated ones (in a library of their own), or none.
#pragma once

#include <memory>

#include "core/backend.h"

namespace lk::cuda {

// LK_DEVICE_CUDA or LK_DEVICE_EMULATED.
lk_device_kind device_kind();

// How many there are; 0 too where there is no driver.
int32_t device_count();

// Throws LK_DEVICE_UNAVAILABLE or LK_DRIVER_TOO_OLD with the reason where there is no such device.
void describe_device(int32_t index, lk_device_info& info);

std::unique_ptr<Backend> open_device(const lk_context_options& options);

// What the kernels were compiled with and for, or why there are none. For people.
const char* build_info();

}  // namespace lk::cuda
