// Bitwise operations on three operands, bytes and double words.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// Any bitwise function of three operands: bit (a·4 + b·2 + c) of Lut is the result for bits a, b and c.
// PTX ISA 9.7.8.6 "lop3".
template <int Lut>
LK_DEVICE uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
    static_assert(Lut >= 0 && Lut < 256);
#if defined(LK_EMULATED)
    return emulated::lop3<Lut>(a, b, c);
#else
    uint32_t result;
    asm("lop3.b32 %0, %1, %2, %3, %4;" : "=r"(result) : "r"(a), "r"(b), "r"(c), "n"(Lut));
    return result;
#endif
}

// Four bytes picked out of the eight of {b, a}: each nibble of the selector names a byte, its bit 3 spreads that
// byte's sign instead. PTX ISA 9.7.9.7 "prmt".
LK_DEVICE uint32_t prmt(uint32_t a, uint32_t b, uint32_t selector) {
#if defined(LK_EMULATED)
    return emulated::prmt(a, b, selector);
#else
    uint32_t result;
    asm("prmt.b32 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(selector));
    return result;
#endif
}

// The low word of the 64 bits {high, low} shifted right by count modulo 32. PTX ISA 9.7.8.7 "shf" (.r.wrap).
LK_DEVICE uint32_t funnel_shift_right(uint32_t low, uint32_t high, uint32_t count) {
#if defined(LK_EMULATED)
    return emulated::funnel_shift_right(low, high, count);
#else
    return __funnelshift_r(low, high, count);
#endif
}

// The place of the lowest bit that is set; at least one must be. PTX ISA 9.7.1.18 "brev", 9.7.1.17 "bfind".
LK_DEVICE uint32_t first_bit(uint32_t bits) {
#if defined(LK_EMULATED)
    return emulated::first_bit(bits);
#else
    return uint32_t(__ffs(int(bits)) - 1);
#endif
}

}  // namespace lk::cuda
