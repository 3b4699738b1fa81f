#include <bit>
#include <cmath>
#include <limits>

#include "platform/cuda_emulated/primitives_numeric.h"

namespace lk::emulated {
namespace {

// How many bits a type's significand has, and the weight of the last bit of its subnormals.
template <class T>
struct Precision;
template <>
struct Precision<Half> {
    static constexpr int bits = 11;
    static constexpr double smallest = 0x1p-24;
};
template <>
struct Precision<BFloat16> {
    static constexpr int bits = 8;
    static constexpr double smallest = 0x1p-133;
};

// a + b rounded to odd: inexact results get an odd last bit, so that rounding once more to a shorter type is the same
// as rounding the exact sum.
double add_to_odd(double a, double b) {
    const double sum = a + b;
    if (!std::isfinite(sum)) return sum;
    const double b_part = sum - a;
    const double error = (a - (sum - b_part)) + (b - b_part);
    const auto bits = std::bit_cast<uint64_t>(sum);
    if (error == 0 || (bits & 1) != 0) return sum;
    return std::bit_cast<double>((error > 0) == (sum > 0) ? bits + 1 : bits - 1);
}

// To the nearest value of T, ties to even; too large values become infinite in the conversion that follows.
template <class T>
double round_to_precision(double value) {
    const double magnitude = std::fabs(value);
    if (magnitude == 0 || !std::isfinite(value)) return value;
    double last_bit = std::ldexp(1.0, std::ilogb(magnitude) - Precision<T>::bits + 1);
    if (last_bit < Precision<T>::smallest) last_bit = Precision<T>::smallest;
    return std::nearbyint(value / last_bit) * last_bit;
}

}  // namespace

template <class T>
uint16_t fused_multiply_add(uint16_t a, uint16_t b, uint16_t c) {
    const double product = double(to_float<T>(a)) * double(to_float<T>(b));
    const double sum = add_to_odd(product, double(to_float<T>(c)));
    return round_bits<T>(static_cast<float>(round_to_precision<T>(sum)));
}

template uint16_t fused_multiply_add<Half>(uint16_t, uint16_t, uint16_t);
template uint16_t fused_multiply_add<BFloat16>(uint16_t, uint16_t, uint16_t);

}  // namespace lk::emulated
