// Registers of 256 or 512 bits for the vector paths. A unit is compiled for one instruction set and sees the widest
// registers that set has; everything is in an unnamed namespace, so that the linker can not mix the units' copies.
#pragma once

// Before a loop of a few iterations over registers: without it GCC 12 keeps them in memory.
#define LK_UNROLL _Pragma("GCC unroll 8")

#if defined(__AVX512F__)
#include "platform/cpu/simd512.h"
#else
#include "platform/cpu/simd256.h"
#endif

namespace lk::cpu {
namespace {

// Asks for a line of memory, into the second-level cache. Any address will do.
inline void prefetch(const void* place) {
    __builtin_prefetch(place, 0, 2);
}

}  // namespace
}  // namespace lk::cpu
