// The stored units of scales, and what they decode to: the producer's sequence of fp32 operations.
#pragma once

#include "formats/scale.h"
#include "packing/cuda/scale_values.cuh"

namespace lk::cuda {

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

struct E8m0Unit {
    using Bits = uint8_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {e8m0_to_float(bits), 0.0f};
    }
};

// Without the tensor's scale, which all groups share.
struct E4m3Unit {
    using Bits = uint8_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, Bits bits, int64_t, int64_t) {
        return {e4m3_to_float(bits), 0.0f};
    }
};

__device__ __forceinline__ float tensor_factor(const Codec& codec) {
    return codec.tensor_scale_divides ? 1.0f / codec.tensor_scale : codec.tensor_scale;
}

struct NestedUnit {
    using Bits = uint8_t;
    __device__ __forceinline__ static GroupScale decode(const FragmentView& weight, Bits bits, int64_t row, int64_t k) {
        // Rows behind the last one have no outer scale.
        if (row >= weight.layout.out_features) return {0.0f, 0.0f};
        const auto group_size = uint32_t(weight.codec.group_size);
        const uint32_t group = weight.group_shift >= 0 ? uint32_t(k) >> weight.group_shift : uint32_t(k) / group_size;
        return {nested_scale(weight, weight.outer_table[bits], row * weight.groups_per_row + group), 0.0f};
    }
};

struct KQuantUnit {
    using Bits = uint4;
    __device__ __forceinline__ static GroupScale decode(const FragmentView&, const Bits& bits, int64_t, int64_t k) {
        return k_quant_scale(bits, uint32_t(k / 32 % 8));
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
