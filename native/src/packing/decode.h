// A packed weight's numbers on the CPU, by the producer's sequence of fp32 operations (built without contraction).
#pragma once

#include <cstring>

#include "core/numeric.h"
#include "formats/scale.h"
#include "packing/weight.h"

namespace lk::cpu {

template <class T>
inline T load_as(const uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

// A group of a row: the group's unit by its place in the packed array and by its number in the checkpoint, and which of
// the unit's groups it is.
struct GroupPlace {
    int64_t index;
    int64_t unit;
    int64_t group_of_unit = 0;
};

inline float scale_of(const lk_weight& weight, const GroupPlace& place) {
    const Codec& codec = weight.codec;
    const uint8_t* stored = weight.scales() + place.index * codec.unit_bytes();
    switch (codec.scale_kind) {
        case ScaleKind::f16:
            return to_float(load_as<Half>(stored));
        case ScaleKind::bf16:
            return to_float(load_as<BFloat16>(stored));
        case ScaleKind::f32:
            return load_as<float>(stored);
        case ScaleKind::e8m0:
            return e8m0_to_float(*stored);
        case ScaleKind::e4m3: {
            const float scale = e4m3_to_float(*stored);
            return codec.tensor_scale_divides ? scale / codec.tensor_scale : scale * codec.tensor_scale;
        }
        case ScaleKind::k_quant:
            return to_float(load_as<Half>(stored)) *
                   float(k_quant_scale(stored + kKQuantBitsOffset, int(place.group_of_unit)));
        case ScaleKind::nested:
            break;
    }
    // bitsandbytes: dequantize blockwise, then add the offset; two roundings.
    const int64_t outer =
        weight.outer_shift >= 0 ? place.unit >> weight.outer_shift : place.unit / weight.tensors.outer_group_size;
    return weight.outer_table()[*stored] * weight.outer_scales()[outer] + weight.tensors.outer_offset;
}

// What is added to a group's values once they are scaled; for offsets of that kind.
inline float addend_of(const lk_weight& weight, const GroupPlace& place) {
    const uint8_t* stored = weight.scales() + place.index * weight.codec.unit_bytes();
    if (weight.codec.offset_kind == OffsetKind::minimum) return to_float(load_as<Half>(stored + sizeof(Half)));
    return -(to_float(load_as<Half>(stored + sizeof(Half))) *
             float(k_quant_minimum(stored + kKQuantBitsOffset, int(place.group_of_unit))));
}

// The number that is taken from a group's codes; for float_zero.
inline float float_zero_of(const lk_weight& weight, const GroupPlace& place) {
    const Codec& codec = weight.codec;
    const uint8_t* stored = weight.scales() + place.index * codec.unit_bytes() + codec.unit_part_bytes();
    switch (codec.scale_kind) {
        case ScaleKind::f16:
            return to_float(load_as<Half>(stored));
        case ScaleKind::bf16:
            return to_float(load_as<BFloat16>(stored));
        default:
            return load_as<float>(stored);
    }
}

// The integer that is taken from a group's codes; for zero points.
inline int zero_point_of(const lk_weight& weight, int64_t panel, int64_t group, int64_t column) {
    const uint8_t pair = weight.zero_points()[weight.layout.zero_points_offset(panel, group) + column / 2];
    return (column % 2 == 0 ? pair & 15 : pair >> 4) + weight.codec.zero_bias;
}

// One weight of a raw one.
inline float raw_weight_at(const lk_weight& weight, int64_t n, int64_t k) {
    float result = 0;
    with_raw_kind(weight.codec.raw_kind, [&]<RawKind Kind>() {
        const RawPlace place = raw_place<Kind>(n, k, weight.layout.in_features);
        const uint8_t* block = weight.codes() + place.offset;
        const RawFactors factors = raw_factors<Kind>(block, place.first);
        result = raw_value<Kind>(block, place.first, 0) * factors.scale + factors.addend;
    });
    return result;
}

// One weight, exactly dequantized. For the reference path; k counts in packed order.
inline float weight_at(const lk_weight& weight, int64_t n, int64_t k) {
    if (weight.codec.is_raw()) return raw_weight_at(weight, n, k);
    const PanelLayout& layout = weight.layout;
    const Codec& codec = weight.codec;
    const int64_t panel = n / PanelLayout::kColumns;
    const int64_t column = n % PanelLayout::kColumns;
    const int64_t depth = k % PanelLayout::kStepDepth;
    const uint8_t* word = weight.codes() + layout.word_offset(panel, k / PanelLayout::kStepDepth, column);
    const int code = depth < 4 ? word[depth] & 15 : word[depth - 4] >> 4;

    const int64_t unit = layout.rows_begin_units ? n * layout.units_per_row() + k / layout.unit_size
                                                 : (n * layout.in_features + k) / layout.unit_size;
    const GroupPlace place{layout.unit_index(unit), unit, k / codec.group_size % codec.groups_of_unit()};
    const float scale = scale_of(weight, place);
    switch (codec.offset_kind) {
        case OffsetKind::none:
            break;
        case OffsetKind::zero_point:
            return (codec.values[code] - float(zero_point_of(weight, panel, k / codec.group_size, column))) * scale;
        case OffsetKind::float_zero:
            return (codec.values[code] - float_zero_of(weight, place)) * scale;
        case OffsetKind::minimum:
        case OffsetKind::k_quant:
            return codec.values[code] * scale + addend_of(weight, place);
    }
    return codec.values[code] * scale;
}

// The checkpoint's k of a packed one.
inline int64_t original_k(const lk_weight& weight, int64_t k) {
    return weight.in_order ? k : weight.order()[k];
}

}  // namespace lk::cpu
