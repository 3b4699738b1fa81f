// The devices of this machine.
#pragma once

#include <memory>

#include "core/backend.h"

namespace lk {

int32_t device_count(lk_device_kind kind);

// Throws LK_DEVICE_UNAVAILABLE with the reason.
void describe_device(lk_device_kind kind, int32_t index, lk_device_info& info);

std::unique_ptr<Backend> open_device(const lk_context_options& options);

// Compiler and CUDA, for people.
const char* build_info();

}  // namespace lk
