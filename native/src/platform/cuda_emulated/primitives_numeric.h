// Bit operations and arithmetic with stated rounding: values in, values out, no state.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "core/numeric.h"
#include "platform/cuda_emulated/site.h"

namespace lk::emulated {

template <int Lut>
LK_UNWATCHED inline uint32_t lop3(uint32_t a, uint32_t b, uint32_t c) {
    uint32_t result = 0;
    for (int i = 0; i < 8; ++i) {
        if (Lut >> i & 1) result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    }
    return result;
}

LK_UNWATCHED inline uint32_t prmt(uint32_t a, uint32_t b, uint32_t selector) {
    const uint64_t bytes = a | uint64_t(b) << 32;
    uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
        const uint32_t nibble = selector >> (4 * i) & 15;
        uint32_t byte = bytes >> (8 * (nibble & 7)) & 255;
        if (nibble & 8) byte = byte & 128 ? 255 : 0;
        result |= byte << (8 * i);
    }
    return result;
}

LK_UNWATCHED inline uint32_t funnel_shift_right(uint32_t low, uint32_t high, uint32_t count) {
    return static_cast<uint32_t>((uint64_t(high) << 32 | low) >> (count & 31));
}

LK_UNWATCHED inline uint32_t first_bit(uint32_t bits) {
    return uint32_t(std::countr_zero(bits));
}

LK_UNWATCHED inline uint32_t float_bits(float value) {
    return std::bit_cast<uint32_t>(value);
}
LK_UNWATCHED inline float bits_float(uint32_t bits) {
    return std::bit_cast<float>(bits);
}

// The device's NaN of a 16-bit type.
inline constexpr uint16_t canonical_nan = 0x7fff;

// Rounded to nearest even, NaN as the device writes it.
template <class T>
LK_UNWATCHED inline uint16_t round_bits(float value) {
    return value != value ? canonical_nan : from_float<T>(value).bits;
}

template <class T>
LK_UNWATCHED inline float to_float(uint16_t bits) {
    return lk::to_float(T{bits});
}
template <class T>
LK_UNWATCHED inline T round_to(float value) {
    return T{round_bits<T>(value)};
}
template <class T>
LK_UNWATCHED inline uint32_t pack2(float low, float high) {
    return round_bits<T>(low) | uint32_t(round_bits<T>(high)) << 16;
}

LK_UNWATCHED inline float fma_rn(float a, float b, float c) {
    return std::fma(a, b, c);
}
LK_UNWATCHED inline float mul_rn(float a, float b) {
    return a * b;
}
LK_UNWATCHED inline float add_rn(float a, float b) {
    return a + b;
}

// a·b + c of 16-bit values, rounded once.
template <class T>
uint16_t fused_multiply_add(uint16_t a, uint16_t b, uint16_t c);
extern template uint16_t fused_multiply_add<Half>(uint16_t, uint16_t, uint16_t);
extern template uint16_t fused_multiply_add<BFloat16>(uint16_t, uint16_t, uint16_t);

template <class T>
LK_UNWATCHED inline uint32_t fma2(uint32_t a, uint32_t b, uint32_t c) {
    return fused_multiply_add<T>(uint16_t(a), uint16_t(b), uint16_t(c)) |
           uint32_t(fused_multiply_add<T>(uint16_t(a >> 16), uint16_t(b >> 16), uint16_t(c >> 16))) << 16;
}

// Rounding twice, to fp32 and then to T, gives the same as rounding once: fp32 has at least 2·11 + 2 bits (Figueroa,
// "When is double rounding innocuous?", 1995).
template <class T>
LK_UNWATCHED inline uint32_t add2(uint32_t a, uint32_t b) {
    return pack2<T>(to_float<T>(uint16_t(a)) + to_float<T>(uint16_t(b)),
                    to_float<T>(uint16_t(a >> 16)) + to_float<T>(uint16_t(b >> 16)));
}
template <class T>
LK_UNWATCHED inline uint32_t sub2(uint32_t a, uint32_t b) {
    return pack2<T>(to_float<T>(uint16_t(a)) - to_float<T>(uint16_t(b)),
                    to_float<T>(uint16_t(a >> 16)) - to_float<T>(uint16_t(b >> 16)));
}
template <class T>
LK_UNWATCHED inline uint32_t mul2(uint32_t a, uint32_t b) {
    return pack2<T>(to_float<T>(uint16_t(a)) * to_float<T>(uint16_t(b)),
                    to_float<T>(uint16_t(a >> 16)) * to_float<T>(uint16_t(b >> 16)));
}

}  // namespace lk::emulated
