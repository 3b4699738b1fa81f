// Registers of 512 bits: AVX-512 F, BW, VL and DQ, and VNNI where it is allowed. Included by simd.h.
#pragma once

#include <immintrin.h>

#include <cstdint>
#include <cstring>

namespace lk::cpu {
namespace {

constexpr int kLanes = 16;
using Floats = __m512;
using Ints = __m512i;  // 32-bit lanes

inline Floats load(const float* p) {
    return _mm512_loadu_ps(p);
}
inline void store(float* p, Floats v) {
    _mm512_storeu_ps(p, v);
}
inline Ints load_bits(const void* p) {
    return _mm512_loadu_si512(p);
}
inline void store_bits(void* p, Ints v) {
    _mm512_storeu_si512(p, v);
}
inline void store_bytes(int8_t* p, Ints v) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
}
inline Floats load_halves(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline Floats load_bfloats(const uint16_t* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

// Bytes, and nibbles from the low one of the first byte on.
inline Ints load_bytes(const uint8_t* p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Ints load_nibbles(const uint8_t* p) {
    const __m128i pairs = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    const Ints twice = _mm512_cvtepu8_epi32(_mm_unpacklo_epi8(pairs, pairs));
    return _mm512_and_si512(_mm512_srlv_epi32(twice, _mm512_set1_epi64(int64_t(4) << 32)), _mm512_set1_epi32(15));
}
// Four words for each lane, which lie together: words[w][lane].
inline void load_columns_of_four(const uint8_t* p, Ints (&words)[4]) {
    const Ints first = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 1, 5, 9, 13, 17, 21, 25, 29);
    const Ints third = _mm512_add_epi32(first, _mm512_set1_epi32(2));
    const Ints a = load_bits(p), b = load_bits(p + 64), c = load_bits(p + 128), d = load_bits(p + 192);
    const Ints low01 = _mm512_permutex2var_epi32(a, first, b), high01 = _mm512_permutex2var_epi32(c, first, d);
    const Ints low23 = _mm512_permutex2var_epi32(a, third, b), high23 = _mm512_permutex2var_epi32(c, third, d);
    words[0] = _mm512_shuffle_i64x2(low01, high01, 0x44);
    words[1] = _mm512_shuffle_i64x2(low01, high01, 0xee);
    words[2] = _mm512_shuffle_i64x2(low23, high23, 0x44);
    words[3] = _mm512_shuffle_i64x2(low23, high23, 0xee);
}
// Pairs taken apart: the first numbers of all, and the second ones.
inline void separate(Floats low, Floats high, Floats& first, Floats& second) {
    const Ints even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    first = _mm512_permutex2var_ps(low, even, high);
    second = _mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high);
}

inline Floats splat(float v) {
    return _mm512_set1_ps(v);
}
inline Ints splat(int v) {
    return _mm512_set1_epi32(v);
}
inline Ints splat_bytes(int v) {
    return _mm512_set1_epi8(char(v));
}
inline Floats zero_floats() {
    return _mm512_setzero_ps();
}
inline Ints zero_ints() {
    return _mm512_setzero_si512();
}

inline Floats add_floats(Floats a, Floats b) {
    return _mm512_add_ps(a, b);
}
inline Floats subtract_floats(Floats a, Floats b) {
    return _mm512_sub_ps(a, b);
}
inline Floats divide(Floats a, Floats b) {
    return _mm512_div_ps(a, b);
}
inline Floats multiply(Floats a, Floats b) {
    return _mm512_mul_ps(a, b);
}
inline Floats multiply_add(Floats a, Floats b, Floats c) {
    return _mm512_fmadd_ps(a, b, c);
}
inline float sum(Floats v) {
    return _mm512_reduce_add_ps(v);
}

inline Ints add(Ints a, Ints b) {
    return _mm512_add_epi32(a, b);
}
inline Ints subtract(Ints a, Ints b) {
    return _mm512_sub_epi32(a, b);
}
inline Ints bit_and(Ints a, Ints b) {
    return _mm512_and_si512(a, b);
}
inline Ints bit_or(Ints a, Ints b) {
    return _mm512_or_si512(a, b);
}
template <int Bits>
inline Ints shift_left(Ints v) {
    return _mm512_slli_epi32(v, Bits);
}
template <int Bits>
inline Ints shift_right(Ints v) {
    return _mm512_srli_epi32(v, Bits);
}
template <int Bits>
inline Ints shift_right_signed(Ints v) {
    return _mm512_srai_epi32(v, Bits);
}
inline Ints larger(Ints a, Ints b) {
    return _mm512_max_epi32(a, b);
}
inline int largest(Ints v) {
    return _mm512_reduce_max_epi32(v);
}
inline int sum(Ints v) {
    return _mm512_reduce_add_epi32(v);
}

inline Floats to_floats(Ints v) {
    return _mm512_cvtepi32_ps(v);
}
inline Floats as_floats(Ints bits) {
    return _mm512_castsi512_ps(bits);
}
// The low half of each word as a number.
inline Floats low_halves(Ints words) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words));
}
inline Floats gather(const float* table, Ints indices) {
    return _mm512_i32gather_ps(indices, table, 4);
}
inline Ints to_nearest(Floats v) {
    return _mm512_cvtps_epi32(v);
}

// table[index] of 16 bytes; indices are below 16.
inline Ints byte_table(const uint8_t* table) {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(table)));
}
inline Ints look_up(Ints table, Ints indices) {
    return _mm512_shuffle_epi8(table, indices);
}

// Of 16 fp32; bits of an index above its lowest four are not looked at.
struct FloatTable {
    explicit FloatTable(const float* values) : all(load(values)) {}
    Floats look_up(Ints indices) const { return _mm512_permutexvar_ps(indices, all); }
    Floats all;
};

// Sums of two products in each 16 bits, which must fit.
inline Ints multiply_pairs(Ints unsigned_bytes, Ints signed_bytes) {
    return _mm512_maddubs_epi16(unsigned_bytes, signed_bytes);
}
inline Ints add_pairs(Ints a, Ints b) {
    return _mm512_add_epi16(a, b);
}
// The sum of the two of each lane.
inline Ints sum_pairs(Ints pairs) {
    return _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}
inline Ints magnitudes_of_bytes(Ints bytes) {
    return _mm512_abs_epi8(bytes);
}
// Bytes negated where others are negative.
inline Ints with_signs_of(Ints bytes, Ints signs) {
    return _mm512_mask_sub_epi8(bytes, _mm512_movepi8_mask(signs), _mm512_setzero_si512(), bytes);
}

#if defined(__AVX512VNNI__)
constexpr bool kHasDotInstruction = true;
// accumulator[lane] += four unsigned bytes times four signed ones. In assembly: GCC 12 copies the intrinsic's
// accumulators from register to register.
inline void dot_bytes(Ints& accumulator, Ints bytes, Ints signed_bytes) {
    asm("vpdpbusd %2, %1, %0" : "+v"(accumulator) : "v"(bytes), "v"(signed_bytes));
}
#else
constexpr bool kHasDotInstruction = false;
#endif

}  // namespace
}  // namespace lk::cpu
