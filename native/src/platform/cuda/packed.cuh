// Arithmetic on packed pairs of 16-bit floats (low half first), each result rounded once to nearest even.
// PTX ISA 9.7.4 "Half Precision Floating-Point Instructions".
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// a·b + c with one rounding. PTX ISA 9.7.4.4 "fma".
template <class T>
LK_DEVICE uint32_t fma2(uint32_t a, uint32_t b, uint32_t c);

// a + b, a − b, a·b. PTX ISA 9.7.4.1 "add", 9.7.4.2 "sub", 9.7.4.3 "mul".
template <class T>
LK_DEVICE uint32_t add2(uint32_t a, uint32_t b);
template <class T>
LK_DEVICE uint32_t sub2(uint32_t a, uint32_t b);
template <class T>
LK_DEVICE uint32_t mul2(uint32_t a, uint32_t b);

template <>
LK_DEVICE uint32_t fma2<Half>(uint32_t a, uint32_t b, uint32_t c) {
#if defined(LK_EMULATED)
    return emulated::fma2<Half>(a, b, c);
#else
    uint32_t result;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
#endif
}

template <>
LK_DEVICE uint32_t add2<Half>(uint32_t a, uint32_t b) {
#if defined(LK_EMULATED)
    return emulated::add2<Half>(a, b);
#else
    uint32_t result;
    asm("add.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
#endif
}

template <>
LK_DEVICE uint32_t sub2<Half>(uint32_t a, uint32_t b) {
#if defined(LK_EMULATED)
    return emulated::sub2<Half>(a, b);
#else
    uint32_t result;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
#endif
}

template <>
LK_DEVICE uint32_t mul2<Half>(uint32_t a, uint32_t b) {
#if defined(LK_EMULATED)
    return emulated::mul2<Half>(a, b);
#else
    uint32_t result;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(result) : "r"(a), "r"(b));
    return result;
#endif
}

template <>
LK_DEVICE uint32_t fma2<BFloat16>(uint32_t a, uint32_t b, uint32_t c) {
#if defined(LK_EMULATED)
    return emulated::fma2<BFloat16>(a, b, c);
#else
    uint32_t result;
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
    return result;
#endif
}

// sm_80 has no packed bf16 instruction but fma. Multiplying by ±1 and adding −0 are exact, zero signs included.
template <>
LK_DEVICE uint32_t add2<BFloat16>(uint32_t a, uint32_t b) {
    constexpr uint32_t one = 0x3f803f80u;
    return fma2<BFloat16>(a, one, b);
}

template <>
LK_DEVICE uint32_t sub2<BFloat16>(uint32_t a, uint32_t b) {
    constexpr uint32_t minus_one = 0xbf80bf80u;
    return fma2<BFloat16>(b, minus_one, a);
}

template <>
LK_DEVICE uint32_t mul2<BFloat16>(uint32_t a, uint32_t b) {
    constexpr uint32_t minus_zero = 0x80008000u;
    return fma2<BFloat16>(a, b, minus_zero);
}

}  // namespace lk::cuda
