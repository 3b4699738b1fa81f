// Words of codes to fragments of mma's A operand that hold the exact values of codes (of table entries: rounded to the
// activations' type). Unlike in the decode kernel a word is decoded once and then multiplied with many tokens, so that
// a few instructions more here save a correction of every sum.
#pragma once

#include <type_traits>

#include "matmul/cuda/batch_shape.h"
#include "matmul/cuda/values.cuh"
#include "platform/cuda/convert.cuh"

namespace lk::cuda {

// What is added to a row's values on their way to code - zero: a pair of minus zero and the excess of the magic number,
// which is 1024 (f16) or 128 (bf16). f16 rows in the upper nibbles of a byte are divided by 16 with it.
template <class T>
__device__ __forceinline__ uint32_t affine_offset(int zero, bool upper_nibble) {
    float excess = 128;
    if constexpr (std::is_same_v<T, Half>) excess = upper_nibble ? 64 : 1024;
    const float offset = -(excess + float(zero));
    return pack2<T>(offset, offset);
}

// `offsets`: of rows g and g + 8 of the fragment.
template <class T>
__device__ __forceinline__ void affine_fragment(uint32_t word, uint32_t lower_offset, uint32_t upper_offset,
                                                uint32_t (&a)[4]) {
    constexpr int kAndOr = 0xea;  // (a & b) | c
    if constexpr (std::is_same_v<T, Half>) {
        constexpr uint32_t kMagic = 0x64006400u;      // 1024: the last bits of the mantissa count ones
        constexpr uint32_t kSixteenth = 0x2c002c00u;  // 1 / 16
#pragma unroll
        for (int pair = 0; pair < 2; ++pair) {
            const uint32_t bits = word >> (8 * pair);
            a[2 * pair] = add2<Half>(lop3<kAndOr>(bits, 0x000f000fu, kMagic), lower_offset);
            a[2 * pair + 1] = fma2<Half>(lop3<kAndOr>(bits, 0x00f000f0u, kMagic), kSixteenth, upper_offset);
        }
    } else {
        constexpr uint32_t kMagic = 0x43004300u;  // 128
#pragma unroll
        for (int r = 0; r < 4; ++r) {
            a[r] = add2<BFloat16>(lop3<kAndOr>(word >> (4 * r), 0x000f000fu, kMagic),
                                  r % 2 == 0 ? lower_offset : upper_offset);
        }
    }
}

// Pairs of table values, a copy for each lane: [code byte][lane]. Lookups of a warp never meet in a bank.
inline constexpr int kPairEntries = 256;

template <class T>
__device__ __forceinline__ void fill_pairs(uint32_t* pairs, const float* values, int thread, int threads) {
    for (int i = thread; i < kPairEntries * 32; i += threads) {
        const int codes = i / 32;
        pairs[i] = pack2<T>(values[codes % 16], values[codes / 16]);
    }
}

__device__ __forceinline__ void table_fragment(uint32_t word, const uint32_t* pairs, uint32_t (&a)[4]) {
    // An entry is 128 bytes: the code byte seven bits up is the offset of its copies.
    constexpr int kAndOr = 0xea;
    const char* const table = reinterpret_cast<const char*>(pairs);
    const uint32_t lane_offset = threadIdx.x % 32 * 4;
    const auto lookup = [&](uint32_t shifted) {
        return *reinterpret_cast<const uint32_t*>(table + lop3<kAndOr>(shifted, 0x00007f80u, lane_offset));
    };
    a[0] = lookup(word << 7);
    a[1] = lookup(word >> 1);
    a[2] = lookup(word >> 9);
    a[3] = lookup(word >> 17);
}

// What the sums over a weight's values have to be multiplied by.
template <BatchCodec Codec, class T>
constexpr float value_factor() {
    if constexpr (Codec == BatchCodec::e2m1) return E2m1Values<T>::kLowerFactor;
    if constexpr (Codec == BatchCodec::e2m1_scaled) return ScaledE2m1Values<T>::kLowerFactor;
    return 1.0f;
}

}  // namespace lk::cuda
