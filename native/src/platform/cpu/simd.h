// Registers of 256 or 512 bits for the vector paths. A unit is compiled for one instruction set and sees the widest
// registers that set has; everything is in an unnamed namespace, so that the linker can not mix the units' copies.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace lk::cpu {
namespace {

// Asks for a line of memory, into the second-level cache. Any address will do.
inline void prefetch(const void* place) {
    __builtin_prefetch(place, 0, 2);
}

#if defined(__AVX512F__)

constexpr int kLanes = 16;
using Floats = __m512;
using Ints = __m512i;  // 32-bit lanes
using Lanes = __mmask16;

// The first `count` lanes, none if it is negative.
inline Lanes first_lanes(int64_t count) {
    return count >= kLanes ? Lanes(0xffff) : count <= 0 ? Lanes(0) : Lanes((1u << count) - 1);
}
// Lanes that are left out read as 0, and their memory is not touched.
inline Ints load_words(const uint8_t* words, Lanes lanes) {
    return _mm512_maskz_loadu_epi32(lanes, words);
}

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

// accumulator[lane] += four unsigned bytes times four signed ones.
#if defined(__AVX512VNNI__)
constexpr bool kHasDot = true;
// In assembly: GCC 12 copies the intrinsic's accumulators from register to register.
inline void dot(Ints& accumulator, Ints bytes, Ints signed_bytes) {
    asm("vpdpbusd %2, %1, %0" : "+v"(accumulator) : "v"(bytes), "v"(signed_bytes));
}
#else
constexpr bool kHasDot = false;
#endif

#else

constexpr int kLanes = 8;
using Floats = __m256;
using Ints = __m256i;
using Lanes = __m256i;

inline Lanes first_lanes(int64_t count) {
    const int clamped = count >= kLanes ? kLanes : count <= 0 ? 0 : int(count);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(clamped), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Ints load_words(const uint8_t* words, Lanes lanes) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(words), lanes);
}

inline Floats load(const float* p) {
    return _mm256_loadu_ps(p);
}
inline void store(float* p, Floats v) {
    _mm256_storeu_ps(p, v);
}
inline Floats load_halves(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Floats load_bfloats(const uint16_t* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

inline Floats splat(float v) {
    return _mm256_set1_ps(v);
}
inline Floats zero_floats() {
    return _mm256_setzero_ps();
}
inline Floats add_floats(Floats a, Floats b) {
    return _mm256_add_ps(a, b);
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

template <int Bits>
inline Ints shift_right(Ints v) {
    return _mm256_srli_epi32(v, Bits);
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

constexpr bool kHasDot = false;

#endif

}  // namespace
}  // namespace lk::cpu
