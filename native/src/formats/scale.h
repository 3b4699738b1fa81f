// Stored scales to fp32, for the host and for kernels.
#pragma once

#include <bit>
#include <cstdint>

namespace lk {

// E8M0: 2^(e - 127); 0 is a subnormal of fp32. 255 is a NaN, which packing refuses.
constexpr float e8m0_to_float(uint8_t e) {
    return std::bit_cast<float>(e == 0 ? 0x00400000u : uint32_t(e) << 23);
}

// E4M3 without sign (fp8 e4m3fn): bias 7, subnormals of 2^-9, no infinity. Signs and the NaN are refused by packing.
constexpr float e4m3_to_float(uint8_t bits) {
    // The fields lie as in fp32; the multiplication rebiases the exponent, subnormals included.
    return std::bit_cast<float>(uint32_t(bits) << 20) * 0x1p120f;
}

// A k_quant unit: f16 d, f16 dmin, then 12 bytes: 8 scales and 8 minimums of 6 bits. (ggml, get_scale_min_k4.)
inline constexpr int kKQuantBitsOffset = 4;

constexpr int k_quant_scale(const uint8_t* bits, int group) {
    return group < 4 ? bits[group] & 63 : (bits[group + 4] & 15) | (bits[group - 4] >> 6) << 4;
}
constexpr int k_quant_minimum(const uint8_t* bits, int group) {
    return group < 4 ? bits[group + 4] & 63 : bits[group + 4] >> 4 | (bits[group] >> 6) << 4;
}

}  // namespace lk
