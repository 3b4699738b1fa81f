// Memory in whole pages from the operating system, to which it goes back as a whole.
#pragma once

#include <cstdint>

#include "lorakernels.h"

namespace lk::cpu {

// Of x86-64 and most others; where pages are larger, blocks end in the middle of one.
inline constexpr int64_t kSystemPage = 4096;

// Blocks of one huge page and more begin at one, and are made of such where the system has them.
lk_allocator system_pages();

}  // namespace lk::cpu
