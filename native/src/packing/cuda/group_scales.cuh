// The stored units of scales, and what they decode to: the producer's sequence of fp32 operations.
#pragma once

#include "packing/cuda/fragment_view.h"
#include "platform/cuda/convert.cuh"

namespace lk::cuda {

// W = value * scale + minimum.
struct GroupScale {
    float scale;
    float minimum;
};

struct HalfUnit {
    using Bits = uint16_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {to_float<Half>(bits), 0.0f};
    }
};

// GGUF Q4_1: d, and the minimum behind it.
struct HalfPairUnit {
    using Bits = uint32_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {low_to_float<Half>(bits), high_to_float<Half>(bits)};
    }
};

struct BFloat16Unit {
    using Bits = uint16_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {to_float<BFloat16>(bits), 0.0f};
    }
};

struct FloatUnit {
    using Bits = uint32_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {bits_float(bits), 0.0f};
    }
};

// 2^(e - 127): a float's exponent, but for the subnormal 2^-127 and for NaN.
struct E8m0Unit {
    using Bits = uint8_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        const uint32_t exponent = uint32_t(bits) << 23;
        return {bits_float(bits == 0 ? 0x00400000u : bits == 255 ? 0x7fc00000u : exponent), 0.0f};
    }
};

// Exponent and mantissa of e4m3 are a float's, 2^120 too small, subnormals too. Without the tensor's scale, which all
// groups share.
struct E4m3Unit {
    using Bits = uint8_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {mul_rn(bits_float(uint32_t(bits) << 20), 0x1p120f), 0.0f};
    }
};

__device__ __forceinline__ float tensor_factor(const Codec& codec) {
    return codec.tensor_scale_divides ? 1.0f / codec.tensor_scale : codec.tensor_scale;
}

// bitsandbytes: dequantize blockwise, then add the offset; two roundings.
struct NestedUnit {
    using Bits = uint8_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView& weight, Bits bits, int64_t row, int64_t k) {
        const auto group_size = uint32_t(weight.codec.group_size);
        const uint32_t group_of_row =
            weight.group_shift >= 0 ? uint32_t(k) >> weight.group_shift : uint32_t(k) / group_size;
        const int64_t group = row * weight.groups_per_row + group_of_row;
        const int64_t outer = weight.outer_shift >= 0 ? group >> weight.outer_shift : group / weight.outer_group_size;
        const float inner = weight.outer_table[bits];
        // Rows behind the last one have no outer scale.
        const float outer_scale = row < weight.layout.out_features ? weight.outer_scales[outer] : 0.0f;
        return {add_rn(mul_rn(inner, outer_scale), weight.outer_offset), 0.0f};
    }
};

// GGUF's K quants: f16 d and dmin, then 6-bit scales and minimums of 8 groups of 32 in 12 bytes.
struct KQuantUnit {
    using Bits = uint4;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, const Bits& bits, int64_t, int64_t k) {
        const int group = int(k / 32 % 8);
        const int shift = 8 * (group % 4);
        // Bytes 0 ... 3 and 4 ... 7: scales and minimums of groups 0 ... 3, and the upper bits of 4 ... 7; bytes 8 ...
        // 11: their lower bits.
        const uint32_t first = bits.y >> shift;
        const uint32_t second = bits.z >> shift;
        const uint32_t third = bits.w >> shift;
        const uint32_t scale = group < 4 ? first & 63 : (third & 15) | (first >> 6 & 3) << 4;
        const uint32_t minimum = group < 4 ? second & 63 : (third >> 4 & 15) | (second >> 6 & 3) << 4;
        return {mul_rn(low_to_float<Half>(bits.x), float(scale)), -mul_rn(high_to_float<Half>(bits.x), float(minimum))};
    }
};

// The unit at an index of FragmentLayout::scale_index.
template <class Unit>
__device__ __forceinline__ typename Unit::Bits load_unit(const FragmentView& weight, int64_t index) {
    return reinterpret_cast<const typename Unit::Bits*>(weight.scales)[index];
}

// Which kinds of scales values have in some format: kernels that know the values hold no code for the others.
template <class Values>
constexpr bool occurs(ScaleKind scale) {
    switch (Values::kKind) {
        case ValueKind::affine:
            return scale == ScaleKind::f16 || scale == ScaleKind::bf16 || scale == ScaleKind::f32 ||
                   scale == ScaleKind::k_quant;
        case ValueKind::table:
            return scale == ScaleKind::f16 || scale == ScaleKind::f32 || scale == ScaleKind::nested;
        case ValueKind::e2m1:
            break;
    }
    return scale == (Values::kScalesCodes ? ScaleKind::e4m3 : ScaleKind::e8m0);
}

// Calls f with a Unit of the weight's kind. All threads of a launch have the same.
template <class Values, class F>
__device__ __forceinline__ void with_unit(const Codec& codec, F&& f) {
    const ScaleKind kind = codec.scale_kind;
    const auto try_kind = [&]<ScaleKind Kind, class Unit>(Unit unit) {
        if constexpr (occurs<Values>(Kind)) {
            if (kind == Kind) f(unit);
        }
    };
    if (codec.offset_kind == OffsetKind::minimum) {
        if constexpr (Values::kKind == ValueKind::affine) f(HalfPairUnit{});
        return;
    }
    try_kind.template operator()<ScaleKind::f16>(HalfUnit{});
    try_kind.template operator()<ScaleKind::bf16>(BFloat16Unit{});
    try_kind.template operator()<ScaleKind::f32>(FloatUnit{});
    try_kind.template operator()<ScaleKind::e8m0>(E8m0Unit{});
    try_kind.template operator()<ScaleKind::e4m3>(E4m3Unit{});
    try_kind.template operator()<ScaleKind::nested>(NestedUnit{});
    try_kind.template operator()<ScaleKind::k_quant>(KQuantUnit{});
}

}  // namespace lk::cuda
