// Packed codes to fp32 in kernels: the same operations in the same order as on the CPU, so the same bits.
//
//   W = (value - zero) * scale + addend
//
// with an integer zero and an addend for affine values only: 0 and -0 where the format has none, which change no bits;
// or with any zero, and without an addend.
#pragma once

#include <type_traits>

#include "formats/scale.h"
#include "packing/cuda/scale_values.cuh"
#include "platform/cuda/global_memory.cuh"

namespace lk::cuda {

struct Factors {
    float zero;  // an integer
    float scale;
    float addend;
};

struct FloatZeroFactors {
    float zero;
    float scale;
};

// fp32 values of the codes, where all threads can look them up: each in a bank of its own.
struct ValueTable {
    float values[16];
};

// Threads beyond the sixteenth do nothing. A barrier follows.
__device__ __forceinline__ void stage_values(ValueTable& table, const FragmentView& weight) {
    if (threadIdx.x < 16) table.values[threadIdx.x] = weight.codec.values[threadIdx.x];
}

// Adding a code to this float's bits adds it to its value.
inline constexpr float kIntegerBase = 0x1p23f;

template <Arrangement A>
__device__ __forceinline__ float decode_code(const ValueTable& table, uint32_t word, int slot, const Factors& factors);

template <>
__device__ __forceinline__ float decode_code<Arrangement::nibbles>(const ValueTable&, uint32_t word, int slot,
                                                                   const Factors& factors) {
    // The base goes with the zero: both differences are exact.
    const float value = bits_float(float_bits(kIntegerBase) | code_at(Arrangement::nibbles, word, slot));
    return add_rn(mul_rn(value - (kIntegerBase + factors.zero), factors.scale), factors.addend);
}

template <Arrangement A>
__device__ __forceinline__ float decode_code(const ValueTable&, uint32_t word, int slot,
                                             const FloatZeroFactors& factors) {
    static_assert(A == Arrangement::nibbles);
    const float value = bits_float(float_bits(kIntegerBase) | code_at(A, word, slot)) - kIntegerBase;
    return mul_rn(value - factors.zero, factors.scale);
}

template <>
__device__ __forceinline__ float decode_code<Arrangement::pairs>(const ValueTable& table, uint32_t word, int slot,
                                                                 const Factors& factors) {
    return mul_rn(table.values[code_at(Arrangement::pairs, word, slot)], factors.scale);
}

template <>
__device__ __forceinline__ float decode_code<Arrangement::e2m1>(const ValueTable& table, uint32_t word, int slot,
                                                                const Factors& factors) {
    const E2m1Place place = e2m1_place(slot / 2);
    const uint32_t bits = word >> (16 * (slot % 2));
    const uint32_t sign = bits << (31 - place.sign) & 0x80000000u;
    const float magnitude = table.values[bits >> place.magnitude & 7];
    return mul_rn(bits_float(float_bits(magnitude) | sign), factors.scale);
}

// ---- Scales ---------------------------------------------------------------------------------------------------------

// What of a weight's scales the compiler can know: what they are not takes no code then.
struct ScaleForm {
    ScaleKind kind;
    bool powers_of_two = false;  // group_size, and where scales are nested outer_group_size, for certain
};

__device__ __forceinline__ uint32_t group_of(const FragmentView& weight, const ScaleForm& form, uint32_t k) {
    if (form.powers_of_two || weight.group_shift >= 0) return k >> weight.group_shift;
    return k / uint32_t(weight.codec.group_size);
}

__device__ __forceinline__ float e4m3_scale(const Codec& codec, uint32_t bits) {
    const float scale = e4m3_to_float(uint8_t(bits));
    return codec.tensor_scale_divides ? scale / codec.tensor_scale : mul_rn(scale, codec.tensor_scale);
}

// Where the units of a lane's four rows (lane_row, lane_row + 8, + 16, + 24 of the panel) lie for the group of k; for k
// that are not there those of the last. Only where rows begin groups.
struct LanePlace {
    int64_t index;  // in fours of units
    uint32_t unit;  // of a row
    uint32_t group;
};

__device__ __forceinline__ LanePlace lane_place(const FragmentView& weight, const ScaleForm& form, int64_t panel,
                                                uint32_t lane_row, uint32_t k) {
    const uint32_t group = group_of(weight, form, k);
    uint32_t unit = form.kind == ScaleKind::k_quant ? group / 8 : group;
    if (unit >= weight.groups_per_row) unit = weight.groups_per_row - 1;
    const uint32_t first = unit & ~(weight.groups_per_record - 1);
    const uint32_t left = weight.groups_per_row - first;
    const uint32_t together = left < weight.groups_per_record ? left : weight.groups_per_record;
    const int64_t index = panel * 8 * weight.groups_per_row + first * 8 + lane_row * together + (unit - first);
    return {index, unit, group};
}

// The factors of a lane's four rows.
__device__ __forceinline__ void lane_factors(const FragmentView& weight, const ScaleForm& form, int64_t panel,
                                             uint32_t lane_row, uint32_t k, Factors (&factors)[4]) {
    const Codec& codec = weight.codec;
    const auto [index, unit, group] = lane_place(weight, form, panel, lane_row, k);

    float zero = float(codec.affine_zero);
#pragma unroll
    for (int i = 0; i < 4; ++i) factors[i] = {zero, 0, -0.0f};
    switch (form.kind) {
        case ScaleKind::f16:
            if (codec.offset_kind == OffsetKind::minimum) {
                const uint4 pairs = reinterpret_cast<const uint4*>(weight.scales)[index];
                const uint32_t words[4] = {pairs.x, pairs.y, pairs.z, pairs.w};
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    factors[i].scale = low_to_float<Half>(words[i]);
                    factors[i].addend = high_to_float<Half>(words[i]);
                }
            } else {
                const uint2 scales = reinterpret_cast<const uint2*>(weight.scales)[index];
                factors[0].scale = low_to_float<Half>(scales.x);
                factors[1].scale = high_to_float<Half>(scales.x);
                factors[2].scale = low_to_float<Half>(scales.y);
                factors[3].scale = high_to_float<Half>(scales.y);
            }
            break;
        case ScaleKind::bf16: {
            const uint2 scales = reinterpret_cast<const uint2*>(weight.scales)[index];
            factors[0].scale = low_to_float<BFloat16>(scales.x);
            factors[1].scale = high_to_float<BFloat16>(scales.x);
            factors[2].scale = low_to_float<BFloat16>(scales.y);
            factors[3].scale = high_to_float<BFloat16>(scales.y);
            break;
        }
        case ScaleKind::f32: {
            const float4 scales = reinterpret_cast<const float4*>(weight.scales)[index];
            factors[0].scale = scales.x;
            factors[1].scale = scales.y;
            factors[2].scale = scales.z;
            factors[3].scale = scales.w;
            break;
        }
        case ScaleKind::e8m0: {
            const uint32_t scales = reinterpret_cast<const uint32_t*>(weight.scales)[index];
#pragma unroll
            for (int i = 0; i < 4; ++i) factors[i].scale = e8m0_to_float(uint8_t(scales >> (8 * i)));
            break;
        }
        case ScaleKind::e4m3: {
            const uint32_t scales = reinterpret_cast<const uint32_t*>(weight.scales)[index];
#pragma unroll
            for (int i = 0; i < 4; ++i) factors[i].scale = e4m3_scale(codec, scales >> (8 * i) & 255);
            break;
        }
        case ScaleKind::nested: {
            const uint32_t scales = reinterpret_cast<const uint32_t*>(weight.scales)[index];
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int64_t row = panel * FragmentLayout::kRows + lane_row + 8 * i;
                if (row >= weight.layout.out_features) continue;
                factors[i].scale = nested_scale(weight, weight.outer_table[scales >> (8 * i) & 255],
                                                row * weight.groups_per_row + unit, form.powers_of_two);
            }
            break;
        }
        case ScaleKind::k_quant:
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const GroupScale scale =
                    k_quant_scale(reinterpret_cast<const uint4*>(weight.scales)[index * 4 + i], group % 8);
                factors[i] = {0, scale.scale, scale.minimum};
            }
            break;
    }
    if (codec.offset_kind == OffsetKind::zero_point) {
        const uint32_t zeros = weight.zero_points[index];
#pragma unroll
        for (int i = 0; i < 4; ++i) factors[i].zero = float(int32_t(zeros >> (4 * i) & 15) + codec.zero_bias);
    }
}

// The same where zeros are numbers: a unit is a scale and a zero of the same type.
__device__ __forceinline__ void lane_factors(const FragmentView& weight, const ScaleForm& form, int64_t panel,
                                             uint32_t lane_row, uint32_t k, FloatZeroFactors (&factors)[4]) {
    const int64_t index = lane_place(weight, form, panel, lane_row, k).index;
    if (form.kind == ScaleKind::f32) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const float2 unit = reinterpret_cast<const float2*>(weight.scales)[index * 4 + i];
            factors[i] = {unit.y, unit.x};
        }
        return;
    }
    const uint4 units = reinterpret_cast<const uint4*>(weight.scales)[index];
    const uint32_t words[4] = {units.x, units.y, units.z, units.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        if (form.kind == ScaleKind::f16) {
            factors[i] = {high_to_float<Half>(words[i]), low_to_float<Half>(words[i])};
        } else {
            factors[i] = {high_to_float<BFloat16>(words[i]), low_to_float<BFloat16>(words[i])};
        }
    }
}

// Where groups run across rows: the scale of a group.
__device__ __forceinline__ float flat_scale(const FragmentView& weight, const ScaleForm& form, int64_t group) {
    if (form.kind == ScaleKind::f32) return reinterpret_cast<const float*>(weight.scales)[group];
    return nested_scale(weight, weight.outer_table[weight.scales[group]], group, form.powers_of_two);
}

// The two scales that eight consecutive weights can have there: `second` from the weight `boundary` on.
struct RunScales {
    float first;
    float second;
    int boundary;
};

__device__ __forceinline__ RunScales run_scales(const FragmentView& weight, const ScaleForm& form, int64_t row,
                                                uint32_t k) {
    const FragmentLayout& layout = weight.layout;
    if (row >= layout.out_features || k >= layout.in_features) return {0, 0, 8};
    const int64_t flat = row * layout.in_features + k;
    const int64_t group = flat >> weight.group_shift;
    const int64_t boundary = ((group + 1) << weight.group_shift) - flat;
    const float first = flat_scale(weight, form, group);
    const bool both = boundary < 8 && flat + boundary < layout.out_features * layout.in_features;
    return {first, both ? flat_scale(weight, form, group + 1) : first, int(boundary < 8 ? boundary : 8)};
}

// ---- Weights --------------------------------------------------------------------------------------------------------

// How a weight's groups are scaled.
enum class Scaling : uint8_t {
    of_row,       // groups begin with rows; a zero, if there is one, is an integer
    across_rows,  // groups run across rows
    float_zeros,  // groups begin with rows; zeros are numbers
};

// What scales a lane's weights of a k-block: four rows 8 apart, eight consecutive k.
template <Scaling S>
struct LaneScales {
    using GroupFactors = std::conditional_t<S == Scaling::float_zeros, FloatZeroFactors, Factors>;
    GroupFactors factors[4];

    __device__ __forceinline__ void load(const FragmentView& weight, const ScaleForm& form, int64_t panel,
                                         uint32_t block, uint32_t lane) {
        lane_factors(weight, form, panel, lane / 4, block * FragmentLayout::kBlockDepth + lane % 4 * 8, factors);
    }
    __device__ __forceinline__ GroupFactors at(int row, int) const { return factors[row]; }
};

template <>
struct LaneScales<Scaling::across_rows> {
    RunScales runs[4];

    __device__ __forceinline__ void load(const FragmentView& weight, const ScaleForm& form, int64_t panel,
                                         uint32_t block, uint32_t lane) {
        const uint32_t k = block * FragmentLayout::kBlockDepth + lane % 4 * 8;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            runs[i] = run_scales(weight, form, panel * FragmentLayout::kRows + lane / 4 + 8 * i, k);
        }
    }
    __device__ __forceinline__ Factors at(int row, int k) const {
        return {0, k < runs[row].boundary ? runs[row].first : runs[row].second, -0.0f};
    }
};

// out[i][j] is row 8i + lane / 4 of the panel at k = 32 * block + lane % 4 * 8 + j. What is not there is anything.
template <Arrangement A, Scaling S>
__device__ __forceinline__ void decode_lane(const ValueTable& table, const LaneScales<S>& scales, const uint4& codes,
                                            float (&out)[4][8]) {
    const uint32_t words[4] = {codes.x, codes.y, codes.z, codes.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
        for (int j = 0; j < 8; ++j) {
            const int reg = j % 4 / 2 * 2 + i % 2;
            out[i][j] = decode_code<A>(table, words[i / 2 * 2 + j / 4], reg * 2 + j % 2, scales.at(i, j));
        }
    }
}

// Calls f.template operator()<arrangement, scaling>() with what the weight has. Its groups run across rows only where
// its values are a table, and zeros are numbers only where they are affine.
template <class F>
__device__ __forceinline__ void with_arrangement(const FragmentView& weight, F&& f) {
    switch (arrangement_of(weight.codec.value_kind)) {
        case Arrangement::nibbles:
            if (weight.codec.has_zero_units())
                return f.template operator()<Arrangement::nibbles, Scaling::float_zeros>();
            return f.template operator()<Arrangement::nibbles, Scaling::of_row>();
        case Arrangement::pairs:
            if (weight.codec.groups_straddle_rows)
                return f.template operator()<Arrangement::pairs, Scaling::across_rows>();
            return f.template operator()<Arrangement::pairs, Scaling::of_row>();
        case Arrangement::e2m1:
            break;
    }
    f.template operator()<Arrangement::e2m1, Scaling::of_row>();
}

// Up to eight weights of a raw one's row, from a multiple of eight on.
__device__ __forceinline__ void decode_raw(const FragmentView& weight, int64_t row, int64_t k, int count,
                                           float (&out)[8]) {
    with_raw_kind(weight.codec.raw_kind, [&]<RawKind Kind>() {
        const RawPlace place = raw_place<Kind>(row, k, weight.layout.in_features);
        const uint8_t* const block = reinterpret_cast<const uint8_t*>(weight.codes) + place.offset;
        const RawFactors factors = raw_factors<Kind>(block, place.first);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (i < count) {
                out[i] = add_rn(mul_rn(raw_value<Kind>(block, place.first, i), factors.scale), factors.addend);
            }
        }
    });
}

// One weight, k counted in packed order.
__device__ __forceinline__ float weight_at(const FragmentView& weight, int64_t row, int64_t k) {
    if (weight.codec.is_raw()) {
        float run[8];
        decode_raw(weight, row, k, 1, run);
        return run[0];
    }
    const FragmentLayout& layout = weight.layout;
    const CodePlace place = layout.place(row, k);
    const uint32_t code = code_at(arrangement_of(weight.codec.value_kind), weight.codes[place.word], place.slot);
    const float value = weight.codec.values[code];
    if (weight.codec.groups_straddle_rows)
        return mul_rn(value, run_scales(weight, {weight.codec.scale_kind}, row, uint32_t(k)).first);
    const auto own_factors = [&](auto& factors) {
        lane_factors(weight, {weight.codec.scale_kind}, row / FragmentLayout::kRows, uint32_t(row % 8), uint32_t(k),
                     factors);
        auto own = factors[0];
#pragma unroll
        for (int i = 1; i < 4; ++i) {
            if (row % FragmentLayout::kRows / 8 == i) own = factors[i];
        }
        return own;
    };
    if (weight.codec.has_zero_units()) {
        FloatZeroFactors factors[4];
        const FloatZeroFactors own = own_factors(factors);
        return mul_rn(value - own.zero, own.scale);
    }
    Factors factors[4];
    const Factors own = own_factors(factors);
    // The values of an affine format have had their zero taken off.
    const float zero = own.zero - float(weight.codec.affine_zero);
    return add_rn(mul_rn(value - zero, own.scale), own.addend);
}

}  // namespace lk::cuda
