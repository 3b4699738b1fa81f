// Rounding worked out in double precision, apart from the library's own conversions.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/numeric.h"

namespace lk::conformance {

// a + b rounded to odd: a last bit of 1 says that something was cut off. A later rounding to far fewer bits then gives
// what one rounding of the exact sum gives.
inline double sum_to_odd(double a, double b) {
    const double sum = a + b;
    if (!std::isfinite(sum)) return sum;
    // Knuth's exact remainder of the sum.
    const double b_part = sum - a;
    const double remainder = (a - (sum - b_part)) + (b - b_part);
    if (remainder == 0) return sum;
    const bool odd = (std::bit_cast<uint64_t>(sum) & 1u) != 0;
    if (odd) return sum;
    return std::nextafter(sum, remainder > 0 ? INFINITY : -INFINITY);
}

// The bits of value rounded to nearest even once, overflow to infinity; NaN is 0x7fff.
template <class T>
uint16_t round_once(double value) {
    constexpr bool half = std::is_same_v<T, Half>;
    constexpr int fraction_bits = half ? 10 : 7;
    constexpr int least_exponent = half ? -14 : -126;
    constexpr int bias = half ? 15 : 127;
    constexpr uint16_t infinity = half ? 0x7c00 : 0x7f80;
    if (std::isnan(value)) return 0x7fff;
    const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    const double magnitude = std::fabs(value);
    if (magnitude == 0) return sign;
    if (std::isinf(magnitude)) return sign | infinity;
    const int exponent = std::max(std::ilogb(magnitude), least_exponent);
    // Whole units of the last place; nearbyint rounds halves to even.
    const double units = std::nearbyint(std::ldexp(magnitude, fraction_bits - exponent));
    // A carry out of the fraction moves into the exponent by itself; a subnormal has no leading one to subtract.
    const int64_t bits = (int64_t(exponent + bias - 1) << fraction_bits) + int64_t(units);
    return static_cast<uint16_t>(sign | (bits >= infinity ? infinity : bits));
}

// Pairs with every NaN replaced by one and the same: which one an operation gives is not specified.
template <class T>
std::vector<uint32_t> one_nan(std::vector<uint32_t> pairs) {
    const auto canonical = [](uint32_t bits) -> uint32_t {
        return std::isnan(to_float(T{static_cast<uint16_t>(bits)})) ? 0x7fffu : bits & 0xffffu;
    };
    for (uint32_t& pair : pairs) pair = canonical(pair) | canonical(pair >> 16) << 16;
    return pairs;
}

}  // namespace lk::conformance
