// Where a kernel called a primitive.
#pragma once

#include <source_location>

namespace lk::emulated {

using Site = std::source_location;

}  // namespace lk::emulated

// Code of the emulated device that runs on behalf of a kernel: its own loads and stores are not the kernel's.
#define LK_UNWATCHED __attribute__((no_sanitize("thread")))
