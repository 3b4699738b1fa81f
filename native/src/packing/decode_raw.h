// Raw weights to fp32, sixteen at once. Included by kernels only: each instruction set's unit has its own copy.
#pragma once

#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

#include "packing/decode.h"
#include "platform/cpu/simd128.h"
#include "platform/cpu/vector_width.h"

namespace lk::cpu {
namespace {

constexpr int kRawRun = 16;

typedef uint16_t u16x8 __attribute__((vector_size(16)));

// (byte >> shift) & mask of each byte; the mask has no bits that come from a neighbour.
inline u8x16 bits_of(u8x16 bytes, int shift, int mask) {
    return (u8x16)((u16x8)bytes >> uint16_t(shift)) & static_cast<uint8_t>(mask);
}

// Bit i of byte i.
inline u8x16 spread_bits(const uint8_t* bits) {
    constexpr u8x16 kOne = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
    constexpr uint64_t kEach = 0x0101010101010101u;
    const uint64_t halves[2] = {bits[0] * kEach, bits[1] * kEach};
    return (u8x16)((load<u8x16>(halves) & kOne) == kOne) & uint8_t(1);
}

// What raw_value gives for a whole run, as signed bytes; for formats with integers, or a table of them.
template <RawKind Kind>
inline u8x16 raw_codes(const uint8_t* block, int first) {
    const int of_32 = first / 32, in_32 = first % 32, half = first / 128;
    if constexpr (Kind == RawKind::q8_0) {
        return load<u8x16>(block + 2 + first);
    } else if constexpr (Kind == RawKind::q5_0 || Kind == RawKind::q5_1) {
        const uint8_t* const high = block + (Kind == RawKind::q5_0 ? 2 : 4);
        const u8x16 low = bits_of(load<u8x16>(high + 4), first / 16 * 4, 15);
        const u8x16 codes = low | spread_bits(high + first / 8) << 4;
        return Kind == RawKind::q5_0 ? codes - uint8_t(16) : codes;
    } else if constexpr (Kind == RawKind::q2_k) {
        return bits_of(load<u8x16>(block + 16 + half * 32 + in_32), of_32 % 4 * 2, 3);
    } else if constexpr (Kind == RawKind::q3_k) {
        const u8x16 low = bits_of(load<u8x16>(block + 32 + half * 32 + in_32), of_32 % 4 * 2, 3);
        return (low | bits_of(load<u8x16>(block + in_32), of_32, 1) << 2) - uint8_t(4);
    } else if constexpr (Kind == RawKind::q5_k) {
        const u8x16 low = bits_of(load<u8x16>(block + 48 + of_32 / 2 * 32 + in_32), of_32 % 2 * 4, 15);
        return low | bits_of(load<u8x16>(block + 16 + in_32), of_32, 1) << 4;
    } else if constexpr (Kind == RawKind::q6_k) {
        const u8x16 low = bits_of(load<u8x16>(block + half * 64 + of_32 % 2 * 32 + in_32), of_32 % 4 / 2 * 4, 15);
        const u8x16 high = bits_of(load<u8x16>(block + 128 + half * 32 + in_32), of_32 % 4 * 2, 3);
        return (low | high << 4) - uint8_t(32);
    } else {
        static_assert(Kind == RawKind::iq4_xs);
        return lookup(load<u8x16>(kRawIq4), bits_of(load<u8x16>(block + 8 + of_32 * 16), in_32 / 16 * 4, 15));
    }
}

// Vectors that the unit has registers for, and signed bytes as such: the compiler finds this conversion only at times.
typedef float FloatsOf __attribute__((vector_size(4 * kVectorWidth)));
typedef uint32_t BitsOf __attribute__((vector_size(4 * kVectorWidth)));
typedef uint16_t ShortsOf __attribute__((vector_size(2 * kVectorWidth)));

inline FloatsOf floats_of_bytes(const int8_t* bytes) {
#if defined(__AVX512F__)
    return (FloatsOf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32((__m128i)load<u8x16>(bytes)));
#elif defined(__AVX2__)
    return (FloatsOf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(load<int64_t>(bytes))));
#elif defined(__SSE4_1__)
    return (FloatsOf)_mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(load<int32_t>(bytes))));
#else
    FloatsOf result;
    for (int i = 0; i < kVectorWidth; ++i) result[i] = float(bytes[i]);
    return result;
#endif
}

// As to_float of Half and BFloat16.
template <RawKind Kind>
inline void widen_raw(const uint8_t* numbers, float* out) {
    for (int i = 0; i < kRawRun; i += kVectorWidth) {
        const BitsOf bits = __builtin_convertvector(load<ShortsOf>(numbers + 2 * i), BitsOf);
        if constexpr (Kind == RawKind::bf16) {
            store(out + i, bits << 16);
        } else {
            const BitsOf magnitude = (bits & 0x7fff) << 13;
            const BitsOf scaled = (BitsOf)((FloatsOf)magnitude * 0x1p112f);
            const BitsOf non_finite = (BitsOf)(magnitude >= 0x0f800000u) & 0x7f800000u;
            store(out + i, (bits & 0x8000) << 16 | scaled | non_finite);
        }
    }
}

// A run of a raw weight's row; only plain numbers have runs that are shorter than kRawRun.
template <RawKind Kind>
inline void decode_raw_run(const uint8_t* block, int first, int64_t count, float* out) {
    if constexpr (Kind == RawKind::f32) {
        std::memcpy(out, block, size_t(count) * sizeof(float));
    } else if constexpr (Kind == RawKind::f16 || Kind == RawKind::bf16) {
        if (count == kRawRun) return widen_raw<Kind>(block, out);
        for (int i = 0; i < count; ++i) out[i] = raw_value<Kind>(block, first, i);
    } else {
        int8_t codes[kRawRun];
        store(codes, raw_codes<Kind>(block, first));
        const RawFactors factors = raw_factors<Kind>(block, first);
        for (int i = 0; i < kRawRun; i += kVectorWidth) {
            store(out + i, floats_of_bytes(codes + i) * factors.scale + factors.addend);
        }
    }
}

// out[c][k - first_k] for the columns c of a panel and k in [first_k, first_k + depth); first_k is a multiple of
// kRawRun.
template <int64_t Stride>
inline void decode_raw(const lk_weight& weight, int64_t panel, int64_t first_k, int64_t depth, float (*out)[Stride]) {
    const PanelLayout& layout = weight.layout;
    with_raw_kind(weight.codec.raw_kind, [&]<RawKind Kind>() {
        for (int64_t c = 0; c < layout.columns(panel); ++c) {
            for (int64_t k = 0; k < depth; k += kRawRun) {
                const RawPlace place =
                    raw_place<Kind>(panel * PanelLayout::kColumns + c, first_k + k, layout.in_features);
                const uint8_t* const block = weight.codes() + place.offset;
                if (depth - k >= kRawRun) {
                    decode_raw_run<Kind>(block, place.first, kRawRun, out[c] + k);
                } else {
                    decode_raw_run<Kind>(block, place.first, depth - k, out[c] + k);
                }
            }
        }
    });
}

}  // namespace
}  // namespace lk::cpu
