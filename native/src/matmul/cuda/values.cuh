// How a word of eight codes becomes a fragment of mma's A operand: four registers of two 16-bit floats each. What the
// floats are is up to the kind of value and the type, so that decoding takes the fewest instructions; kLowerFactor and
// kUpperFactor are what sums of rows g and g + 8 of a fragment have to be multiplied by in the end. kExcess is what the
// floats are more than the code.
//
//   affine, f16   the code's bits as they are: subnormals q * 2^-24 and, four bits further up, q * 2^-20
//   affine, bf16  128 + q
//   table         pairs of values looked up in shared memory
//   E2M1, f16     the code's bits where f16 has sign, exponent and mantissa: value * 2^-14
//   E2M1, bf16    likewise, value * 2^-126, and one multiplication: products of bf16 subnormals would underflow
//
// Tensor cores multiply subnormals exactly, at full speed (measured by others on sm_70 and up; not documented).
#pragma once

#include <type_traits>

#include "matmul/cuda/intervals.h"
#include "packing/cuda/arrangement.h"
#include "platform/cuda/bits.cuh"
#include "platform/cuda/packed.cuh"
#include "platform/cuda/shared_window.cuh"

namespace lk::cuda {

template <class T>
struct AffineValues {
    static constexpr ValueKind kKind = ValueKind::affine;
    static constexpr bool kScalesCodes = false;
    static constexpr bool kHasTable = false;
    static constexpr bool kIsHalf = std::is_same_v<T, Half>;
    static constexpr float kLowerFactor = kIsHalf ? 0x1p24f : 1.0f;
    static constexpr float kUpperFactor = kIsHalf ? 0x1p20f : 1.0f;
    static constexpr int kExcess = kIsHalf ? 0 : 128;

    __device__ __forceinline__ static void fragment(uint32_t word, uint32_t, uint32_t (&a)[4]) {
        if constexpr (kIsHalf) {
            const uint32_t upper = word >> 8;
            a[0] = word & 0x000f000fu;
            a[1] = word & 0x00f000f0u;
            a[2] = upper & 0x000f000fu;
            a[3] = upper & 0x00f000f0u;
        } else {
            constexpr int kAndOr = 0xea;  // (a & b) | c
#pragma unroll
            for (int r = 0; r < 4; ++r) a[r] = lop3<kAndOr>(word >> (4 * r), 0x000f000fu, 0x43004300u);
        }
    }
};

template <class T>
struct TableValues {
    static constexpr ValueKind kKind = ValueKind::table;
    static constexpr bool kScalesCodes = false;
    static constexpr bool kHasTable = true;
    static constexpr float kLowerFactor = 1.0f;
    static constexpr float kUpperFactor = 1.0f;
    static constexpr int kExcess = 0;

    // The offset of a code byte's pair in the PairTable is one permutation of bytes: [lane * 4, code, 0, 0].
    __device__ __forceinline__ static void fragment(uint32_t word, uint32_t lane_offset, uint32_t (&a)[4]) {
        a[0] = load_shared_at<PairTable::kAddress>(prmt(word, lane_offset, 0x7604));
        a[1] = load_shared_at<PairTable::kAddress>(prmt(word, lane_offset, 0x7614));
        a[2] = load_shared_at<PairTable::kAddress>(prmt(word, lane_offset, 0x7624));
        a[3] = load_shared_at<PairTable::kAddress>(prmt(word, lane_offset, 0x7634));
    }
};

template <class T>
struct E2m1Values {
    static constexpr ValueKind kKind = ValueKind::e2m1;
    static constexpr bool kScalesCodes = false;
    static constexpr bool kHasTable = false;
    static constexpr bool kIsHalf = std::is_same_v<T, Half>;
    static constexpr float kLowerFactor = kIsHalf ? 0x1p14f : 1.0f;
    static constexpr float kUpperFactor = kLowerFactor;
    static constexpr int kExcess = 0;

    __device__ __forceinline__ static void fragment(uint32_t word, uint32_t, uint32_t (&a)[4]) {
        placed(word, a);
        if constexpr (!kIsHalf) {
            constexpr uint32_t kRange = 0x7e807e80u;  // 2^126, twice
#pragma unroll
            for (int r = 0; r < 4; ++r) a[r] = mul2<BFloat16>(a[r], kRange);
        }
    }

    // The bits where the type has them.
    __device__ __forceinline__ static void placed(uint32_t word, uint32_t (&a)[4]) {
        if constexpr (kIsHalf) {
            constexpr uint32_t kBits = 0x8e008e00u;
            a[0] = word & kBits;
            a[1] = word << 3 & kBits;
            a[2] = (word & 0x40384038u) * 66u & kBits;
            a[3] = (word & 0x20072007u) * 516u & kBits;
        } else {
            constexpr uint32_t kBits = 0x81c081c0u;
            constexpr uint32_t kSign = 0x80008000u;
            constexpr int kSelect = 0xca;  // (a & b) | (~a & c)
            a[0] = lop3<kSelect>(kSign, word, word >> 3) & kBits;
            a[1] = lop3<kSelect>(kSign, word << 3, word) & kBits;
            a[2] = lop3<kSelect>(kSign, word << 1, word << 3) & kBits;
            a[3] = lop3<kSelect>(kSign, word << 2, word << 6) & kBits;
        }
    }
};

// Groups of 16, two of which meet in each of mma's steps: the codes themselves are multiplied by their group's E4M3
// scale, exactly. A scale has four significant bits and a value two, and with these powers of two every product is a
// normal number.
template <class T>
struct ScaledE2m1Values {
    static constexpr ValueKind kKind = ValueKind::e2m1;
    static constexpr bool kHasTable = false;
    static constexpr bool kScalesCodes = true;
    static constexpr float kLowerFactor = std::is_same_v<T, Half> ? 0x1p7f : 0x1p8f;
    static constexpr float kUpperFactor = kLowerFactor;
    // What scales are multiplied by.
    static constexpr float kScaleFactor = std::is_same_v<T, Half> ? 0x1p7f : 0x1p118f;

    // With pairs of scales of rows g and g + 8.
    __device__ __forceinline__ static void fragment(uint32_t word, uint32_t lower, uint32_t upper, uint32_t (&a)[4]) {
        E2m1Values<T>::placed(word, a);
#pragma unroll
        for (int r = 0; r < 4; ++r) a[r] = mul2<T>(a[r], r % 2 == 0 ? lower : upper);
    }
};

}  // namespace lk::cuda
