// Registers of 256 bits: AVX2, FMA and F16C. Included by simd.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace lk::cpu {
namespace {

constexpr int kLanes = 8;
using Floats = __m256;
using Ints = __m256i;

inline Floats load(const float* p) {
    return _mm256_loadu_ps(p);
}
inline void store(float* p, Floats v) {
    _mm256_storeu_ps(p, v);
}
inline Ints load_bits(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}
inline void store_bits(void* p, Ints v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v);
}
inline void store_bytes(int8_t* p, Ints v) {
    const Ints halves = _mm256_permute4x64_epi64(_mm256_packs_epi32(v, v), 0x08);
    const __m128i low = _mm256_castsi256_si128(halves);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(low, low));
}
inline Floats load_halves(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats load_bfloats(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

// Bytes, and nibbles from the low one of the first byte on.
inline Ints load_bytes(const uint8_t* p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
inline Ints load_nibbles(const uint8_t* p) {
    int four;
    std::memcpy(&four, p, sizeof four);
    const __m128i pairs = _mm_cvtsi32_si128(four);
    const Ints twice = _mm256_cvtepu8_epi32(_mm_unpacklo_epi8(pairs, pairs));
    return _mm256_and_si256(_mm256_srlv_epi32(twice, _mm256_set1_epi64x(int64_t(4) << 32)), _mm256_set1_epi32(15));
}
// Four words for each lane, which lie together: words[w][lane].
inline void load_columns_of_four(const uint8_t* p, Ints (&words)[4]) {
    const Ints a = load_bits(p), b = load_bits(p + 32), c = load_bits(p + 64), d = load_bits(p + 96);
    const Ints c04 = _mm256_permute2x128_si256(a, c, 0x20), c15 = _mm256_permute2x128_si256(a, c, 0x31);
    const Ints c26 = _mm256_permute2x128_si256(b, d, 0x20), c37 = _mm256_permute2x128_si256(b, d, 0x31);
    const Ints low01 = _mm256_unpacklo_epi32(c04, c15), low23 = _mm256_unpacklo_epi32(c26, c37);
    const Ints high01 = _mm256_unpackhi_epi32(c04, c15), high23 = _mm256_unpackhi_epi32(c26, c37);
    words[0] = _mm256_unpacklo_epi64(low01, low23);
    words[1] = _mm256_unpackhi_epi64(low01, low23);
    words[2] = _mm256_unpacklo_epi64(high01, high23);
    words[3] = _mm256_unpackhi_epi64(high01, high23);
}
// Pairs taken apart: the first numbers of all, and the second ones.
inline void separate(Floats low, Floats high, Floats& first, Floats& second) {
    const Ints order = _mm256_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7);
    first = _mm256_permutevar8x32_ps(_mm256_shuffle_ps(low, high, 0x88), order);
    second = _mm256_permutevar8x32_ps(_mm256_shuffle_ps(low, high, 0xdd), order);
}

inline Floats splat(float v) {
    return _mm256_set1_ps(v);
}
inline Ints splat(int v) {
    return _mm256_set1_epi32(v);
}
inline Ints splat_bytes(int v) {
    return _mm256_set1_epi8(char(v));
}
inline Ints zero_ints() {
    return _mm256_setzero_si256();
}
inline Floats zero_floats() {
    return _mm256_setzero_ps();
}
inline Floats add_floats(Floats a, Floats b) {
    return _mm256_add_ps(a, b);
}
inline Floats subtract_floats(Floats a, Floats b) {
    return _mm256_sub_ps(a, b);
}
inline Floats divide(Floats a, Floats b) {
    return _mm256_div_ps(a, b);
}
inline Floats multiply(Floats a, Floats b) {
    return _mm256_mul_ps(a, b);
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm256_fmadd_ps(a, b, c);
}
inline float sum(Floats v) {
    const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 quarter = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(quarter, _mm_movehdup_ps(quarter)));
}

inline Ints add(Ints a, Ints b) {
    return _mm256_add_epi32(a, b);
}
inline Ints subtract(Ints a, Ints b) {
    return _mm256_sub_epi32(a, b);
}
inline Ints bit_and(Ints a, Ints b) {
    return _mm256_and_si256(a, b);
}
inline Ints bit_or(Ints a, Ints b) {
    return _mm256_or_si256(a, b);
}
template <int Bits>
inline Ints shift_left(Ints v) {
    return _mm256_slli_epi32(v, Bits);
}
template <int Bits>
inline Ints shift_right(Ints v) {
    return _mm256_srli_epi32(v, Bits);
}
template <int Bits>
inline Ints shift_right_signed(Ints v) {
    return _mm256_srai_epi32(v, Bits);
}
inline Ints larger(Ints a, Ints b) {
    return _mm256_max_epi32(a, b);
}
inline int largest(Ints v) {
    __m128i four = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    four = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}
inline int sum(Ints v) {
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

inline Floats to_floats(Ints v) {
    return _mm256_cvtepi32_ps(v);
}
inline Ints to_nearest(Floats v) {
    return _mm256_cvtps_epi32(v);
}
inline Floats as_floats(Ints bits) {
    return _mm256_castsi256_ps(bits);
}
// The low half of each word as a number.
inline Floats low_halves(Ints words) {
    const Ints low = _mm256_and_si256(words, _mm256_set1_epi32(0xffff));
    const Ints halves = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0x08);
    return _mm256_cvtph_ps(_mm256_castsi256_si128(halves));
}
// One by one: the instruction is no faster on many processors without AVX-512, and wrong in QEMU 7.2.
inline Floats gather(const float* table, Ints indices) {
    alignas(32) int32_t at[kLanes];
    _mm256_store_si256(reinterpret_cast<__m256i*>(at), indices);
    return _mm256_setr_ps(table[at[0]], table[at[1]], table[at[2]], table[at[3]], table[at[4]], table[at[5]],
                          table[at[6]], table[at[7]]);
}

// table[index] of 16 bytes; indices are below 16.
inline Ints byte_table(const uint8_t* table) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}
inline Ints look_up(Ints table, Ints indices) {
    return _mm256_shuffle_epi8(table, indices);
}

// Two tables of 8, chosen by bit 3.
struct FloatTable {
    explicit FloatTable(const float* values) : low(load(values)), high(load(values + 8)) {}
    Floats look_up(Ints indices) const {
        const Floats bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(indices, 28));
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, indices), _mm256_permutevar8x32_ps(high, indices), bit3);
    }
    Floats low, high;
};

constexpr bool kHasDotInstruction = false;
// Sums of two products in each 16 bits, which must fit.
inline Ints multiply_pairs(Ints unsigned_bytes, Ints signed_bytes) {
    return _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
}
inline Ints add_pairs(Ints a, Ints b) {
    return _mm256_add_epi16(a, b);
}
// The sum of the two of each lane.
inline Ints sum_pairs(Ints pairs) {
    return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
inline Ints magnitudes_of_bytes(Ints bytes) {
    return _mm256_abs_epi8(bytes);
}
// Bytes negated where others are negative, and 0 where they are 0.
inline Ints with_signs_of(Ints bytes, Ints signs) {
    return _mm256_sign_epi8(bytes, signs);
}

}  // namespace
}  // namespace lk::cpu
