#include "platform/cuda_emulated/tensor_core.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/numeric.h"

namespace lk::emulated {
namespace {

#define LK_INLINE inline __attribute__((always_inline))

// A as it is, B turned, so that the innermost loops run over columns.
struct Operands {
    float a[16][16];
    float b[16][8];
};

template <class T>
LK_INLINE void widen(Operands& operands, const uint16_t (&a)[16][16], const uint16_t (&b)[8][16]) {
    for (int m = 0; m < 16; ++m) {
        for (int k = 0; k < 16; ++k) operands.a[m][k] = to_float(T{a[m][k]});
    }
    float columns[8][16];
    for (int n = 0; n < 8; ++n) {
        for (int k = 0; k < 16; ++k) columns[n][k] = to_float(T{b[n][k]});
    }
    for (int k = 0; k < 16; ++k) {
        for (int n = 0; n < 8; ++n) operands.b[k][n] = columns[n][k];
    }
}

// Products of 16-bit floats are exact in double precision.
LK_INLINE void sum_exactly(float (&d)[16][8], const Operands& operands) {
    for (int m = 0; m < 16; ++m) {
        double sum[8];
        for (int n = 0; n < 8; ++n) sum[n] = d[m][n];
        for (int k = 0; k < 16; ++k) {
            const double a = operands.a[m][k];
            for (int n = 0; n < 8; ++n) sum[n] += a * double(operands.b[k][n]);
        }
        for (int n = 0; n < 8; ++n) d[m][n] = static_cast<float>(sum[n]);
    }
}

// fp32 towards zero.
LK_INLINE float truncate(double value) {
    const float rounded = static_cast<float>(value);
    if (std::fabs(double(rounded)) <= std::fabs(value) || !std::isfinite(value)) return rounded;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(rounded) - 1);
}

LK_INLINE void sum_truncating(float (&d)[16][8], const Operands& operands) {
    constexpr uint64_t exponent_bits = 0x7ff0000000000000u;
    for (int m = 0; m < 16; ++m) {
        double addends[17][8];
        double largest[8];
        for (int n = 0; n < 8; ++n) {
            addends[16][n] = d[m][n];
            largest[n] = std::fabs(addends[16][n]);
        }
        for (int k = 0; k < 16; ++k) {
            const double a = operands.a[m][k];
            for (int n = 0; n < 8; ++n) {
                addends[k][n] = a * double(operands.b[k][n]);
                const double magnitude = std::fabs(addends[k][n]);
                largest[n] = largest[n] < magnitude ? magnitude : largest[n];
            }
        }
        for (int n = 0; n < 8; ++n) {
            // The weight of the last bit kept: 2^-23 of the largest addend's power of two.
            const double top = std::bit_cast<double>(std::bit_cast<uint64_t>(largest[n]) & exponent_bits);
            const double up = top == 0 ? 0 : 0x1p23 / top;
            const double down = top * 0x1p-23;
            double sum = 0;
            bool finite = true;
            for (int k = 0; k < 17; ++k) {
                finite &= std::fabs(addends[k][n]) <= 0x1p1023;
                sum += std::trunc(addends[k][n] * up);
            }
            double plain = 0;
            for (int k = 0; k < 17; ++k) plain += addends[k][n];
            d[m][n] = finite ? truncate(sum * down) : static_cast<float>(plain);
        }
    }
}

LK_INLINE void multiply(float (&d)[16][8], const uint16_t (&a)[16][16], const uint16_t (&b)[8][16], bool bfloat16,
                        Rounding rounding) {
    Operands operands;
    if (bfloat16) {
        widen<BFloat16>(operands, a, b);
    } else {
        widen<Half>(operands, a, b);
    }
    if (rounding == Rounding::exact) {
        sum_exactly(d, operands);
    } else {
        sum_truncating(d, operands);
    }
}

#undef LK_INLINE

// The same source for two instruction sets; neither contracts, so both give the same bits.
__attribute__((target("avx2,f16c"))) void multiply_avx2(float (&d)[16][8], const uint16_t (&a)[16][16],
                                                        const uint16_t (&b)[8][16], bool bfloat16, Rounding rounding) {
    multiply(d, a, b, bfloat16, rounding);
}

void multiply_portable(float (&d)[16][8], const uint16_t (&a)[16][16], const uint16_t (&b)[8][16], bool bfloat16,
                       Rounding rounding) {
    multiply(d, a, b, bfloat16, rounding);
}

}  // namespace

void multiply_accumulate(float (&d)[16][8], const uint16_t (&a)[16][16], const uint16_t (&b)[8][16], bool bfloat16,
                         Rounding rounding) {
    static const auto best = __builtin_cpu_supports("avx2") ? multiply_avx2 : multiply_portable;
    best(d, a, b, bfloat16, rounding);
}

}  // namespace lk::emulated
