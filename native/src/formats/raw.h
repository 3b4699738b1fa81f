// Formats without 4-bit codes: what mixed GGUF files have beside those with them. A weight of one is raw: it is not
// packed, but stays in its checkpoint's bytes on every device, and kernels decode it from there. (ggml, ggml-common.h
// and dequantize_row_*.)
//
//   W = value * scale + addend
//
// value is an integer or, of plain numbers, the number itself; 1 and -0 where there is no scale or addend, which change
// no bits. All is inlined: instruction sets' units share no functions. Weights are stored in blocks. A run of up to 16
// weights that begins at a multiple of its length has one scale and one addend.
#pragma once

#include <cstdint>

#include "core/numeric.h"
#include "formats/scale.h"

namespace lk {

enum class RawKind : uint8_t { none, f32, f16, bf16, q5_0, q5_1, q8_0, q2_k, q3_k, q5_k, q6_k, iq4_xs };

struct RawBlock {
    int weights;
    int bytes;
    int group;  // weights that share a scale
};

constexpr RawBlock raw_block(RawKind kind) {
    switch (kind) {
        case RawKind::f32:
            return {1, 4, 1};
        case RawKind::f16:
        case RawKind::bf16:
            return {1, 2, 1};
        case RawKind::q5_0:
            return {32, 22, 32};
        case RawKind::q5_1:
            return {32, 24, 32};
        case RawKind::q8_0:
            return {32, 34, 32};
        case RawKind::q2_k:
            return {256, 84, 16};
        case RawKind::q3_k:
            return {256, 110, 16};
        case RawKind::q5_k:
            return {256, 176, 32};
        case RawKind::q6_k:
            return {256, 210, 16};
        case RawKind::iq4_xs:
            return {256, 136, 32};
        case RawKind::none:
            break;
    }
    return {1, 0, 1};
}

// Calls f.template operator()<kind>().
template <class F>
constexpr void with_raw_kind(RawKind kind, F&& f) {
    switch (kind) {
        case RawKind::f32:
            return f.template operator()<RawKind::f32>();
        case RawKind::f16:
            return f.template operator()<RawKind::f16>();
        case RawKind::bf16:
            return f.template operator()<RawKind::bf16>();
        case RawKind::q5_0:
            return f.template operator()<RawKind::q5_0>();
        case RawKind::q5_1:
            return f.template operator()<RawKind::q5_1>();
        case RawKind::q8_0:
            return f.template operator()<RawKind::q8_0>();
        case RawKind::q2_k:
            return f.template operator()<RawKind::q2_k>();
        case RawKind::q3_k:
            return f.template operator()<RawKind::q3_k>();
        case RawKind::q5_k:
            return f.template operator()<RawKind::q5_k>();
        case RawKind::q6_k:
            return f.template operator()<RawKind::q6_k>();
        case RawKind::iq4_xs:
            return f.template operator()<RawKind::iq4_xs>();
        case RawKind::none:
            return;
    }
}

// Where a weight is: the offset of its block in a matrix of that many columns, and its number there.
struct RawPlace {
    int64_t offset;
    int first;
};

template <RawKind Kind>
[[gnu::always_inline]] constexpr RawPlace raw_place(int64_t row, int64_t k, int64_t columns) {
    constexpr RawBlock kBlock = raw_block(Kind);
    return {(row * (columns / kBlock.weights) + k / kBlock.weights) * kBlock.bytes, int(k % kBlock.weights)};
}

[[gnu::always_inline]] constexpr float raw_half(const uint8_t* bytes) {
    return to_float(Half{static_cast<uint16_t>(bytes[0] | bytes[1] << 8)});
}

struct RawFactors {
    float scale = 1;
    float addend = -0.0f;
};

// Of a run that begins at weight `first` of a block.
template <RawKind Kind>
[[gnu::always_inline]] constexpr RawFactors raw_factors(const uint8_t* block, int first) {
    if constexpr (Kind == RawKind::q5_0 || Kind == RawKind::q8_0) {
        return {raw_half(block)};
    } else if constexpr (Kind == RawKind::q5_1) {
        return {raw_half(block), raw_half(block + 2)};
    } else if constexpr (Kind == RawKind::q2_k) {
        const int both = block[first / 16];
        return {raw_half(block + 80) * float(both & 15), -(raw_half(block + 82) * float(both >> 4))};
    } else if constexpr (Kind == RawKind::q3_k) {
        // Six bits: 16 times four, two of a kind to a byte, then 16 times two, four to a byte.
        const uint8_t* const bits = block + 96;
        const int group = first / 16;
        const int low = bits[group % 8] >> group / 8 * 4 & 15;
        const int high = bits[8 + group % 4] >> group / 4 * 2 & 3;
        return {raw_half(block + 108) * float((low | high << 4) - 32)};
    } else if constexpr (Kind == RawKind::q5_k) {
        const uint8_t* const bits = block + kKQuantBitsOffset;
        return {raw_half(block) * float(k_quant_scale(bits, first / 32)),
                -(raw_half(block + 2) * float(k_quant_minimum(bits, first / 32)))};
    } else if constexpr (Kind == RawKind::q6_k) {
        return {raw_half(block + 208) * float(static_cast<int8_t>(block[192 + first / 16]))};
    } else if constexpr (Kind == RawKind::iq4_xs) {
        const int group = first / 32;
        const int low = block[4 + group / 2] >> group % 2 * 4 & 15;
        const int high = (block[2] | block[3] << 8) >> 2 * group & 3;
        return {raw_half(block) * float((low | high << 4) - 32)};
    } else {
        return {};
    }
}

// IQ4_NL's table, a byte an entry: -127 -104 -83 -65 -49 -35 -22 -10 1 13 25 38 53 69 89 113.
inline constexpr uint64_t kRawIq4[2] = {0xf6eaddcfbfad9881u, 0x7159453526190d01u};

[[gnu::always_inline]] constexpr float raw_iq4(int code) {
    const uint64_t eight = code < 8 ? kRawIq4[0] : kRawIq4[1];
    return float(static_cast<int8_t>(eight >> code % 8 * 8));
}

// Weight number i of a run that begins at weight `first` of a block. Of plain numbers the blocks that follow are part
// of the run.
template <RawKind Kind>
[[gnu::always_inline]] constexpr float raw_value(const uint8_t* block, int first, int i) {
    const int in_32 = first % 32 + i, of_32 = first / 32;
    if constexpr (Kind == RawKind::f32) {
        const uint8_t* const bytes = block + 4 * i;
        return std::bit_cast<float>(uint32_t(bytes[0]) | uint32_t(bytes[1]) << 8 | uint32_t(bytes[2]) << 16 |
                                    uint32_t(bytes[3]) << 24);
    } else if constexpr (Kind == RawKind::f16) {
        return raw_half(block + 2 * i);
    } else if constexpr (Kind == RawKind::bf16) {
        return to_float(BFloat16{static_cast<uint16_t>(block[2 * i] | block[2 * i + 1] << 8)});
    } else if constexpr (Kind == RawKind::q8_0) {
        return float(static_cast<int8_t>(block[2 + first + i]));
    } else if constexpr (Kind == RawKind::q5_0 || Kind == RawKind::q5_1) {
        const uint8_t* const high = block + (Kind == RawKind::q5_0 ? 2 : 4);
        const int low = high[4 + first % 16 + i] >> first / 16 * 4 & 15;
        const int code = low | (high[(first + i) / 8] >> (first + i) % 8 & 1) << 4;
        return float(Kind == RawKind::q5_0 ? code - 16 : code);
    } else if constexpr (Kind == RawKind::q2_k) {
        return float(block[16 + first / 128 * 32 + in_32] >> of_32 % 4 * 2 & 3);
    } else if constexpr (Kind == RawKind::q3_k) {
        const int low = block[32 + first / 128 * 32 + in_32] >> of_32 % 4 * 2 & 3;
        return float(low - ((block[in_32] >> of_32 & 1) != 0 ? 0 : 4));
    } else if constexpr (Kind == RawKind::q5_k) {
        const int low = block[48 + of_32 / 2 * 32 + in_32] >> of_32 % 2 * 4 & 15;
        return float(low | (block[16 + in_32] >> of_32 & 1) << 4);
    } else if constexpr (Kind == RawKind::q6_k) {
        const int low = block[first / 128 * 64 + of_32 % 2 * 32 + in_32] >> of_32 % 4 / 2 * 4 & 15;
        const int high = block[128 + first / 128 * 32 + in_32] >> of_32 % 4 * 2 & 3;
        return float((low | high << 4) - 32);
    } else {
        static_assert(Kind == RawKind::iq4_xs);
        const int half = first % 32 / 16;
        return raw_iq4(block[8 + of_32 * 16 + first % 16 + i] >> half * 4 & 15);
    }
}

}  // namespace lk
