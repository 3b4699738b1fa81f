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

// accumulator[lane] += four bytes times four signed ones. The bytes are unsigned ones, any where there is an
// instruction for it and otherwise up to 127, or Signed ones.
template <bool Signed>
inline void dot(Ints& accumulator, Ints bytes, Ints signed_bytes) {
#if defined(__AVX512VNNI__)
    static_assert(!Signed);
    dot_bytes(accumulator, bytes, signed_bytes);
#else
    const Ints pairs = Signed ? multiply_pairs(magnitudes_of_bytes(signed_bytes), with_signs_of(bytes, signed_bytes))
                              : multiply_pairs(bytes, signed_bytes);
    accumulator = add(accumulator, sum_pairs(pairs));
#endif
}

}  // namespace
}  // namespace lk::cpu
