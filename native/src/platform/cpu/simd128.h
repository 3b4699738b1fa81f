// The few 128-bit operations of the portable path that the compiler does not find by itself. Everything else is plain
// arithmetic on GCC's and Clang's vector types.
//
// Included by kernels only: each instruction set's unit has its own copy (unnamed namespace), so that the linker can
// not mix them.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__SSSE3__)
#include <tmmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace lk::cpu {
namespace {

typedef float f32x4 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

template <class Vector, class T>
inline Vector load(const T* source) {
    Vector vector;
    std::memcpy(&vector, source, sizeof vector);
    return vector;
}

template <class Vector, class T>
inline void store(T* destination, Vector vector) {
    std::memcpy(destination, &vector, sizeof vector);
}

// table[index] for 16 bytes at once; every index is below 16.
inline u8x16 lookup(u8x16 table, u8x16 index) {
#if defined(__SSSE3__)
    return reinterpret_cast<u8x16>(
        _mm_shuffle_epi8(reinterpret_cast<__m128i>(table), reinterpret_cast<__m128i>(index)));
#elif defined(__ARM_NEON)
    return vqtbl1q_u8(table, index);
#else
    u8x16 result;
    for (int i = 0; i < 16; ++i) result[i] = table[index[i]];
    return result;
#endif
}

// The sum of the lanes, always as (0 + 2) + (1 + 3).
inline float sum(f32x4 v) {
    return (v[0] + v[2]) + (v[1] + v[3]);
}

}  // namespace
}  // namespace lk::cpu
