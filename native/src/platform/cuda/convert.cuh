// Conversions between fp32 and the 16-bit types, and fp32 arithmetic that says its rounding. Kernel units are compiled
// without contraction (-fmad=false), so that a fused multiply-add happens only where fma_rn() is written.
#pragma once

#include "platform/cuda/target.h"

namespace lk::cuda {

// The bits of a float, and back. PTX ISA 9.7.9.3 "mov".
LK_DEVICE uint32_t float_bits(float value) {
#if defined(LK_EMULATED)
    return emulated::float_bits(value);
#else
    return __float_as_uint(value);
#endif
}

LK_DEVICE float bits_float(uint32_t bits) {
#if defined(LK_EMULATED)
    return emulated::bits_float(bits);
#else
    return __uint_as_float(bits);
#endif
}

// A Half or BFloat16, given as bits, widened exactly. PTX ISA 9.7.9.21 "cvt"; a bf16 is a float's upper half.
template <class T>
LK_DEVICE float to_float(uint16_t bits);

template <>
LK_DEVICE float to_float<Half>(uint16_t bits) {
#if defined(LK_EMULATED)
    return emulated::to_float<Half>(bits);
#else
    float result;
    asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(bits));
    return result;
#endif
}

template <>
LK_DEVICE float to_float<BFloat16>(uint16_t bits) {
    return bits_float(uint32_t(bits) << 16);
}

// The two values of a packed pair.
template <class T>
LK_DEVICE float low_to_float(uint32_t pair) {
    return to_float<T>(static_cast<uint16_t>(pair));
}

template <class T>
LK_DEVICE float high_to_float(uint32_t pair) {
    return to_float<T>(static_cast<uint16_t>(pair >> 16));
}

// Two floats rounded to nearest even and packed, low half first; a NaN becomes 0x7fff. PTX ISA 9.7.9.21 "cvt".
template <class T>
LK_DEVICE uint32_t pack2(float low, float high);

template <>
LK_DEVICE uint32_t pack2<Half>(float low, float high) {
#if defined(LK_EMULATED)
    return emulated::pack2<Half>(low, high);
#else
    uint32_t result;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
#endif
}

template <>
LK_DEVICE uint32_t pack2<BFloat16>(float low, float high) {
#if defined(LK_EMULATED)
    return emulated::pack2<BFloat16>(low, high);
#else
    uint32_t result;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
    return result;
#endif
}

// One float rounded to nearest even; a NaN becomes 0x7fff. For T = float, the float itself. PTX ISA 9.7.9.21 "cvt".
template <class T>
LK_DEVICE T round_to(float value);

template <>
LK_DEVICE float round_to<float>(float value) {
    return value;
}

template <>
LK_DEVICE Half round_to<Half>(float value) {
#if defined(LK_EMULATED)
    return emulated::round_to<Half>(value);
#else
    Half result;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#endif
}

template <>
LK_DEVICE BFloat16 round_to<BFloat16>(float value) {
#if defined(LK_EMULATED)
    return emulated::round_to<BFloat16>(value);
#else
    BFloat16 result;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));
    return result;
#endif
}

// a·b + c with one rounding. PTX ISA 9.7.3.6 "fma" (.rn, subnormals kept).
LK_DEVICE float fma_rn(float a, float b, float c) {
#if defined(LK_EMULATED)
    return emulated::fma_rn(a, b, c);
#else
    return __fmaf_rn(a, b, c);
#endif
}

// PTX ISA 9.7.3.5 "mul" and 9.7.3.3 "add" (.rn): never contracted into an fma.
LK_DEVICE float mul_rn(float a, float b) {
#if defined(LK_EMULATED)
    return emulated::mul_rn(a, b);
#else
    return __fmul_rn(a, b);
#endif
}

LK_DEVICE float add_rn(float a, float b) {
#if defined(LK_EMULATED)
    return emulated::add_rn(a, b);
#else
    return __fadd_rn(a, b);
#endif
}

}  // namespace lk::cuda
