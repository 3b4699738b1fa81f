// lop3, prmt, funnel shifts, and arithmetic on packed pairs and floats.
#include <bit>
#include <cmath>

#include "conformance/checks.h"
#include "conformance/rounding.h"
#include "platform/cuda/bits.cuh"
#include "platform/cuda/convert.cuh"
#include "platform/cuda/packed.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 256;

__device__ __forceinline__ int global_thread() {
    return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
}

// ---- Bits -----------------------------------------------------------------------------------------------------------

template <int... Lut>
__device__ __forceinline__ void write_all(std::integer_sequence<int, Lut...>, uint32_t a, uint32_t b, uint32_t c,
                                          uint32_t* results) {
    ((results[Lut] = lop3<Lut>(a, b, c)), ...);
}

// All 256 functions of three operands, for each thread's operands.
__global__ void lop3_kernel(const uint32_t* operands, uint32_t* results) {
    const uint32_t* mine = operands + 3 * threadIdx.x;
    write_all(std::make_integer_sequence<int, 256>(), mine[0], mine[1], mine[2], results + 256 * threadIdx.x);
}

void check_lop3(Bench& bench) {
    constexpr int sets = 32;
    const auto operands = random_values<uint32_t>(bench, sets * 3, 0, 0xffffffff);
    std::vector<uint32_t> expected(sets * 256);
    for (int set = 0; set < sets; ++set) {
        for (int lut = 0; lut < 256; ++lut) {
            uint32_t& result = expected[set * 256 + lut];
            for (int bit = 0; bit < 32; ++bit) {
                const auto bit_of = [&](int operand) { return (operands[set * 3 + operand] >> bit) & 1u; };
                const uint32_t index = bit_of(0) * 4 + bit_of(1) * 2 + bit_of(2);
                result |= ((uint32_t(lut) >> index) & 1u) << bit;
            }
        }
    }
    const auto device_operands = bench.copy(operands);
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.threads = sets}, lop3_kernel, device_operands.data(), results.data());
    expect_equal("lop3", results.read(), expected);
}

__global__ void first_bit_kernel(const uint32_t* operands, uint32_t* results) {
    results[global_thread()] = first_bit(operands[global_thread()]);
}

void check_first_bit(Bench& bench) {
    std::vector<uint32_t> operands;
    std::vector<uint32_t> expected;
    for (uint32_t place = 0; place < 32; ++place) {
        for (const uint32_t above : {0u, 1u, 0xffffffffu}) {
            operands.push_back(1u << place | (place < 31 ? above << (place + 1) : 0u));
            expected.push_back(place);
        }
    }
    const auto device_operands = bench.copy(operands);
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.threads = uint32_t(operands.size())}, first_bit_kernel, device_operands.data(), results.data());
    expect_equal("first_bit", results.read(), expected);
}

__global__ void prmt_kernel(const uint32_t* operands, uint32_t* results) {
    const uint32_t* mine = operands + 3 * global_thread();
    results[global_thread()] = prmt(mine[0], mine[1], mine[2]);
}

void check_prmt(Bench& bench) {
    constexpr int count = 1 << 16;  // every selector of four nibbles
    auto operands = random_values<uint32_t>(bench, count * 3, 0, 0xffffffff);
    std::vector<uint32_t> expected(count);
    for (int i = 0; i < count; ++i) {
        // Selector bits beyond the four nibbles are ignored.
        operands[i * 3 + 2] = (operands[i * 3 + 2] & 0xffff0000u) | uint32_t(i);
        for (int byte = 0; byte < 4; ++byte) {
            const int nibble = (i >> (4 * byte)) & 15;
            const uint32_t word = operands[i * 3 + ((nibble & 7) < 4 ? 0 : 1)];
            uint32_t value = (word >> (8 * (nibble & 3))) & 0xffu;
            if (nibble & 8) value = value & 0x80u ? 0xffu : 0u;
            expected[i] |= value << (8 * byte);
        }
    }
    const auto device_operands = bench.copy(operands);
    const auto results = bench.zeros<uint32_t>(count);
    bench.launch({.blocks = count / threads, .threads = threads}, prmt_kernel, device_operands.data(), results.data());
    expect_equal("prmt", results.read(), expected);
}

__global__ void funnel_shift_kernel(const uint32_t* operands, uint32_t* results) {
    results[threadIdx.x] = funnel_shift_right(operands[0], operands[1], threadIdx.x);
}

void check_funnel_shift(Bench& bench) {
    constexpr int counts = 96;
    const auto operands = random_values<uint32_t>(bench, 2, 0, 0xffffffff);
    std::vector<uint32_t> expected(counts);
    const uint64_t both = operands[0] | uint64_t(operands[1]) << 32;
    for (int count = 0; count < counts; ++count) expected[count] = static_cast<uint32_t>(both >> (count % 32));
    const auto device_operands = bench.copy(operands);
    const auto results = bench.zeros<uint32_t>(counts);
    bench.launch({.threads = counts}, funnel_shift_kernel, device_operands.data(), results.data());
    expect_equal("funnel shift", results.read(), expected);
}

// ---- Packed pairs ---------------------------------------------------------------------------------------------------

template <class T>
__global__ void packed_kernel(const uint32_t* operands, uint32_t* results) {
    const uint32_t* mine = operands + 3 * global_thread();
    uint32_t* result = results + 4 * global_thread();
    result[0] = fma2<T>(mine[0], mine[1], mine[2]);
    result[1] = add2<T>(mine[0], mine[1]);
    result[2] = sub2<T>(mine[0], mine[1]);
    result[3] = mul2<T>(mine[0], mine[1]);
}

template <class T>
uint32_t rounded_pair(double low, double high) {
    return round_once<T>(low) | uint32_t(round_once<T>(high)) << 16;
}

template <class T>
void check_packed(Bench& bench) {
    constexpr int count = 1 << 14;
    auto operands = random_values<uint32_t>(bench, count * 3, 0, 0xffffffff);
    // Random bits rarely meet: half of the operands lie near one.
    for (size_t i = 0; i < operands.size() / 2; ++i) {
        const auto near_one = [&](uint32_t bits) -> uint32_t {
            return round_once<T>((1 + (bits & 0xff) / 64.0) * (bits & 0x100 ? -1 : 1));
        };
        operands[i] = near_one(operands[i]) | near_one(operands[i] >> 16) << 16;
    }
    // Zeros of both signs, infinities, subnormals, the largest values.
    constexpr uint16_t half_specials[] = {0x0000, 0x8000, 0x7c00, 0xfc00, 0x0001, 0x83ff, 0x7bff, 0xfbff};
    constexpr uint16_t bfloat_specials[] = {0x0000, 0x8000, 0x7f80, 0xff80, 0x0001, 0x807f, 0x7f7f, 0xff7f};
    const uint16_t* specials = std::is_same_v<T, Half> ? half_specials : bfloat_specials;
    for (int i = 0; i < 512; ++i) {
        for (int j = 0; j < 3; ++j) operands[i * 3 + j] = specials[(i >> (3 * j)) & 7] * 0x10001u;
    }
    std::vector<uint32_t> expected(count * 4);
    for (int i = 0; i < count; ++i) {
        double low[3], high[3];
        for (int j = 0; j < 3; ++j) {
            low[j] = to_float(T{static_cast<uint16_t>(operands[i * 3 + j])});
            high[j] = to_float(T{static_cast<uint16_t>(operands[i * 3 + j] >> 16)});
        }
        uint32_t* result = &expected[i * 4];
        // Products of 16-bit floats are exact in double precision; sums are rounded to odd first.
        result[0] = rounded_pair<T>(sum_to_odd(low[0] * low[1], low[2]), sum_to_odd(high[0] * high[1], high[2]));
        result[1] = rounded_pair<T>(sum_to_odd(low[0], low[1]), sum_to_odd(high[0], high[1]));
        result[2] = rounded_pair<T>(sum_to_odd(low[0], -low[1]), sum_to_odd(high[0], -high[1]));
        result[3] = rounded_pair<T>(low[0] * low[1], high[0] * high[1]);
    }
    const auto device_operands = bench.copy(operands);
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.blocks = count / threads, .threads = threads}, packed_kernel<T>, device_operands.data(),
                 results.data());
    expect_equal("fma2, add2, sub2, mul2", one_nan<T>(results.read()), one_nan<T>(expected));
}

// ---- Floats ---------------------------------------------------------------------------------------------------------

__global__ void float_kernel(const float* operands, float* results) {
    const float* mine = operands + 3 * global_thread();
    float* result = results + 3 * global_thread();
    result[0] = fma_rn(mine[0], mine[1], mine[2]);
    result[1] = mul_rn(mine[0], mine[1]);
    result[2] = add_rn(mine[0], mine[1]);
}

void check_float(Bench& bench) {
    constexpr int count = 1 << 12;
    std::vector<float> operands(count * 3), expected(count * 3);
    std::uniform_real_distribution<float> mantissa(-2.0f, 2.0f);
    // Large, small and subnormal products.
    std::uniform_int_distribution<int> exponent(-70, 60);
    for (float& operand : operands) operand = std::ldexp(mantissa(bench.random()), exponent(bench.random()));
    for (int i = 0; i < count; ++i) {
        const float a = operands[i * 3], b = operands[i * 3 + 1], c = operands[i * 3 + 2];
        expected[i * 3] = std::fma(a, b, c);
        expected[i * 3 + 1] = a * b;
        expected[i * 3 + 2] = a + b;
    }
    const auto device_operands = bench.copy(operands);
    const auto results = bench.zeros<float>(expected.size());
    bench.launch({.blocks = count / threads, .threads = threads}, float_kernel, device_operands.data(), results.data());
    expect_equal("fma_rn, mul_rn, add_rn", results.read(), expected);
}

}  // namespace

std::vector<Check> arithmetic_checks() {
    return {
        {"lop3, all functions", 80, check_lop3}, {"prmt, all selectors", 80, check_prmt},
        {"first bit", 80, check_first_bit},      {"funnel shift", 80, check_funnel_shift},
        {"packed f16", 80, check_packed<Half>},  {"packed bf16", 80, check_packed<BFloat16>},
        {"float arithmetic", 80, check_float},
    };
}

}  // namespace lk::conformance
