// A packed weight.
#pragma once

#include <cstring>

#include "core/device_id.h"
#include "core/handle.h"
#include "core/memory.h"
#include "core/numeric.h"
#include "formats/format.h"
#include "packing/panel.h"

namespace lk {

// The three arrays of a packed weight.
struct PackedArrays {
    uint8_t* codes;
    uint8_t* scales;
    float* outer;  // nested scales: the map's 256 values, then the outer scales
};

inline constexpr int64_t kOuterTableSize = 256;

}  // namespace lk

struct lk_weight : lk::Handle {
    // As in the checkpoint: shape, group sizes and the sizes of all buffers; pointers are NULL.
    lk_weight_tensors tensors{};
    const lk::Format* format = nullptr;
    lk::DeviceId device{};

    // What the format reduces to.
    float values[16]{};
    lk::ScaleKind scale_kind = lk::ScaleKind::f32;
    int outer_shift = -1;      // log2 of outer_group_size, -1 if it is not a power of two
    uint8_t padding_code = 0;  // the unused nibble behind an odd number of codes

    lk::PanelLayout layout;
    lk::Block codes_memory;
    lk::Block scales_memory;
    lk::Block outer_memory;

    int64_t bytes() const { return codes_memory.bytes() + scales_memory.bytes() + outer_memory.bytes(); }
    uint8_t* codes() const { return static_cast<uint8_t*>(codes_memory.data()); }
    uint8_t* scales() const { return static_cast<uint8_t*>(scales_memory.data()); }
    lk::PackedArrays arrays() const { return {codes(), scales(), outer_table()}; }
    float* outer_table() const { return static_cast<float*>(outer_memory.data()); }
    float* outer_scales() const { return outer_table() + lk::kOuterTableSize; }
};

namespace lk {

// The fp32 scale of a group: `index` is its place in the packed array, `group` its flat index.
inline float scale_of(const lk_weight& weight, int64_t index, int64_t group) {
    switch (weight.scale_kind) {
        case ScaleKind::f16: {
            Half half;
            std::memcpy(&half, weight.scales() + index * 2, sizeof half);
            return to_float(half);
        }
        case ScaleKind::f32: {
            float scale;
            std::memcpy(&scale, weight.scales() + index * 4, sizeof scale);
            return scale;
        }
        case ScaleKind::nested:
            break;
    }
    // bitsandbytes: dequantize blockwise, then add the offset; two roundings (this file is built without contraction).
    const float inner = weight.outer_table()[weight.scales()[index]];
    const int64_t outer =
        weight.outer_shift >= 0 ? group >> weight.outer_shift : group / weight.tensors.outer_group_size;
    return inner * weight.outer_scales()[outer] + weight.tensors.outer_offset;
}

// One weight, exactly dequantized. For the reference path.
inline float weight_at(const lk_weight& weight, int64_t n, int64_t k) {
    const PanelLayout& layout = weight.layout;
    const int64_t depth = k % PanelLayout::kStepDepth;
    const uint8_t* word = weight.codes() + layout.word_offset(n / PanelLayout::kColumns, k / PanelLayout::kStepDepth,
                                                              n % PanelLayout::kColumns);
    const int code = depth < 4 ? word[depth] & 15 : word[depth - 4] >> 4;
    const int64_t group = (n * layout.in_features + k) / layout.group_size;
    return weight.values[code] * scale_of(weight, layout.scale_index(group), group);
}

}  // namespace lk
