// Conversions between floats and 16-bit floats, and bit casts.
#include <bit>
#include <cmath>

#include "conformance/checks.h"
#include "conformance/rounding.h"
#include "platform/cuda/convert.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 256;
constexpr int all_values = 1 << 16;

__device__ __forceinline__ int global_thread() {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

// ---- Widening -------------------------------------------------------------------------------------------------------

template <class T>
__global__ void widen_kernel(uint32_t* results) {
    const auto value = static_cast<uint16_t>(global_thread());
    const uint32_t pair = value | uint32_t(static_cast<uint16_t>(~value)) << 16;
    results[3 * global_thread()] = float_bits(to_float<T>(value));
    results[3 * global_thread() + 1] = float_bits(low_to_float<T>(pair));
    results[3 * global_thread() + 2] = float_bits(high_to_float<T>(pair));
}

// sign · 2^(exponent − bias) · 1.fraction, from the fields.
template <class T>
float value_of(uint16_t bits) {
    constexpr bool half = std::is_same_v<T, Half>;
    constexpr int fraction_bits = half ? 10 : 7;
    constexpr int bias = half ? 15 : 127;
    constexpr int largest = half ? 31 : 255;
    const int exponent = (bits & 0x7fff) >> fraction_bits;
    const int fraction = bits & ((1 << fraction_bits) - 1);
    double magnitude = exponent == 0 ? std::ldexp(fraction, 1 - bias - fraction_bits)
                                     : std::ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
    if (exponent == largest) magnitude = fraction == 0 ? INFINITY : NAN;
    return static_cast<float>(bits & 0x8000 ? -magnitude : magnitude);
}

uint32_t one_nan_bits(float value) {
    return std::isnan(value) ? 0x7fffffffu : std::bit_cast<uint32_t>(value);
}

template <class T>
void check_widening(Bench& bench) {
    std::vector<uint32_t> expected(3 * all_values);
    for (int i = 0; i < all_values; ++i) {
        expected[3 * i] = expected[3 * i + 1] = one_nan_bits(value_of<T>(static_cast<uint16_t>(i)));
        expected[3 * i + 2] = one_nan_bits(value_of<T>(static_cast<uint16_t>(~i)));
    }
    const auto device_results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.blocks = all_values / threads, .threads = threads}, widen_kernel<T>, device_results.data());
    auto results = device_results.read();
    for (uint32_t& result : results) result = one_nan_bits(std::bit_cast<float>(result));
    expect_equal("all 65536 values", results, expected);
}

// ---- Rounding -------------------------------------------------------------------------------------------------------

template <class T>
__global__ void round_kernel(const uint32_t* values, uint32_t* results) {
    const int i = global_thread();
    const float low = bits_float(values[2 * i]);
    const float high = bits_float(values[2 * i + 1]);
    results[2 * i] = pack2<T>(low, high);
    results[2 * i + 1] = uint32_t(round_to<T>(low).bits) | uint32_t(round_to<T>(high).bits) << 16;
}

template <class T>
void check_rounding(Bench& bench) {
    // Each 16-bit value, the middle to its neighbour, a little less and a little more; then random bits.
    std::vector<uint32_t> values;
    for (int i = 0; i < all_values; ++i) {
        const float value = value_of<T>(static_cast<uint16_t>(i));
        const float next = value_of<T>(static_cast<uint16_t>(i + 1));
        const auto middle = static_cast<float>((double(value) + double(next)) / 2);
        const float wanted[] = {value, middle, std::nextafter(middle, value), std::nextafter(middle, next)};
        for (float w : wanted) values.push_back(std::bit_cast<uint32_t>(w));
    }
    const auto random = random_values<uint32_t>(bench, all_values, 0, 0xffffffff);
    values.insert(values.end(), random.begin(), random.end());
    const size_t pairs = values.size() / 2;
    std::vector<uint32_t> expected(values.size());
    for (size_t i = 0; i < pairs; ++i) {
        const uint32_t low = round_once<T>(std::bit_cast<float>(values[2 * i]));
        const uint32_t high = round_once<T>(std::bit_cast<float>(values[2 * i + 1]));
        expected[2 * i] = expected[2 * i + 1] = low | high << 16;
    }
    const auto device_values = bench.copy(values);
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.blocks = static_cast<uint32_t>(pairs / threads), .threads = threads}, round_kernel<T>,
                 device_values.data(), results.data());
    expect_equal("pack2, round_to", results.read(), expected);
}

}  // namespace

std::vector<Check> conversion_checks() {
    return {
        {"f16 to float, all values", 80, check_widening<Half>},
        {"bf16 to float, all values", 80, check_widening<BFloat16>},
        {"float to f16", 80, check_rounding<Half>},
        {"float to bf16", 80, check_rounding<BFloat16>},
    };
}

}  // namespace lk::conformance
