// fp16 and bf16 as bits. IEEE 754 binary16; bfloat16 = the upper half of binary32. Rounding is to nearest even.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace lk {

struct Half {
    uint16_t bits;
};

struct BFloat16 {
    uint16_t bits;
};

constexpr float to_float(float value) {
    return value;
}

// Without branches, so that loops over it vectorise; exact for subnormals, infinities and NaN payloads.
constexpr float to_float(Half value) {
    const uint32_t sign = uint32_t(value.bits & 0x8000u) << 16;
    const uint32_t magnitude = uint32_t(value.bits & 0x7fffu) << 13;
    // The exponent keeps its field of 5 bits; multiplying by 2^(127-15) rebiases it, subnormals included.
    const uint32_t scaled = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
    const uint32_t non_finite = magnitude >= 0x0f800000u ? 0x7f800000u : 0u;
    return std::bit_cast<float>(sign | scaled | non_finite);
}

constexpr float to_float(BFloat16 value) {
    return std::bit_cast<float>(uint32_t(value.bits) << 16);
}

template <class T>
constexpr T from_float(float value);

template <>
constexpr float from_float<float>(float value) {
    return value;
}

template <>
constexpr Half from_float<Half>(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {  // NaN: quiet, payload's top bits kept
        return {static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu))};
    }
    if (magnitude >= 0x477ff000u) {  // >= 65520 rounds to infinity
        return {static_cast<uint16_t>(sign | 0x7c00u)};
    }
    if (magnitude < 0x38800000u) {  // below 2^-14: the sum lines the subnormal up with the float's last bits
        const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
        return {static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(aligned) - 0x3f000000u))};
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return {static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13))};
}

template <>
constexpr BFloat16 from_float<BFloat16>(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return {static_cast<uint16_t>((bits >> 16) | 0x40u)};
    }
    return {static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16)};
}

// Whether no value is infinite or NaN.
inline bool all_finite(const float* values, int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) return false;
    }
    return true;
}

}  // namespace lk
