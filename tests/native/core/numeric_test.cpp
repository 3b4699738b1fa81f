#include "core/numeric.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace lk {
namespace {

// The value of a half by its definition.
double value_of(uint16_t bits) {
    const int exponent = (bits >> 10) & 31;
    const double mantissa = bits & 0x3ff;
    const double magnitude =
        exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 15 - 10);
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

bool is_finite(uint16_t bits) {
    return (bits & 0x7c00) != 0x7c00;
}

TEST(Half, EveryValueWidensExactlyAndComesBack) {
    for (uint32_t b = 0; b < 0x10000; ++b) {
        const auto bits = static_cast<uint16_t>(b);
        const float wide = to_float(Half{bits});
        if (is_finite(bits)) {
            ASSERT_EQ(double(wide), value_of(bits)) << std::hex << b;
            ASSERT_EQ(std::signbit(wide), (bits & 0x8000) != 0) << std::hex << b;
            ASSERT_EQ(from_float<Half>(wide).bits, bits) << std::hex << b;
        } else if ((bits & 0x3ff) == 0) {
            ASSERT_TRUE(std::isinf(wide)) << std::hex << b;
            ASSERT_EQ(from_float<Half>(wide).bits, bits) << std::hex << b;
        } else {
            ASSERT_TRUE(std::isnan(wide)) << std::hex << b;
            ASSERT_EQ(from_float<Half>(wide).bits, bits | 0x200) << std::hex << b;  // quiet
        }
    }
}

// Between two neighbours: below the middle down, above it up, the middle to even.
TEST(Half, RoundsToNearestEven) {
    for (uint32_t b = 0; b < 0x7bff; ++b) {
        const auto low = static_cast<uint16_t>(b);
        const auto high = static_cast<uint16_t>(b + 1);
        const auto middle = static_cast<float>((value_of(low) + value_of(high)) / 2);
        ASSERT_EQ(from_float<Half>(std::nextafter(middle, 0.0f)).bits, low) << std::hex << b;
        ASSERT_EQ(from_float<Half>(std::nextafter(middle, 1e9f)).bits, high) << std::hex << b;
        ASSERT_EQ(from_float<Half>(middle).bits, (low & 1) == 0 ? low : high) << std::hex << b;
        ASSERT_EQ(from_float<Half>(-middle).bits, ((low & 1) == 0 ? low : high) | 0x8000) << std::hex << b;
    }
    EXPECT_EQ(from_float<Half>(65519.996f).bits, 0x7bff);
    EXPECT_EQ(from_float<Half>(65520.0f).bits, 0x7c00);
    EXPECT_EQ(from_float<Half>(0x1p-25f).bits, 0);
    EXPECT_EQ(from_float<Half>(std::nextafter(0x1p-25f, 1.0f)).bits, 1);
}

TEST(BFloat16, EveryValueComesBack) {
    for (uint32_t b = 0; b < 0x10000; ++b) {
        const auto bits = static_cast<uint16_t>(b);
        const float wide = to_float(BFloat16{bits});
        ASSERT_EQ(from_float<BFloat16>(wide).bits, std::isnan(wide) ? bits | 0x40 : bits) << std::hex << b;
    }
}

TEST(BFloat16, RoundsToNearestEven) {
    for (uint32_t b = 0; b < 0x7f7f; ++b) {
        const uint32_t middle = b << 16 | 0x8000;
        ASSERT_EQ(from_float<BFloat16>(std::bit_cast<float>(middle - 1)).bits, b);
        ASSERT_EQ(from_float<BFloat16>(std::bit_cast<float>(middle + 1)).bits, b + 1);
        ASSERT_EQ(from_float<BFloat16>(std::bit_cast<float>(middle)).bits, (b & 1) == 0 ? b : b + 1);
    }
    EXPECT_EQ(from_float<BFloat16>(3.4e38f).bits, 0x7f80);
}

}  // namespace
}  // namespace lk
