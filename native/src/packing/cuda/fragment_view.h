// A packed weight as kernels get it, by value.
#pragma once

#include <bit>

#include "packing/cuda/arrangement.h"
#include "packing/cuda/fragments.h"
#include "packing/weight.h"

namespace lk::cuda {

// How codes lie in words, for each kind of value.
constexpr Arrangement arrangement_of(ValueKind kind) {
    switch (kind) {
        case ValueKind::affine:
            return Arrangement::nibbles;
        case ValueKind::table:
            return Arrangement::pairs;
        case ValueKind::e2m1:
            break;
    }
    return Arrangement::e2m1;
}

inline FragmentLayout fragment_layout(const lk_weight_tensors& tensors, const Codec& codec) {
    return {tensors.out_features, tensors.in_features, codec.unit_size(), !codec.groups_straddle_rows};
}

struct FragmentView {
    explicit FragmentView(const lk_weight& weight)
        : codes(reinterpret_cast<const uint32_t*>(weight.codes())),
          scales(weight.scales()),
          zero_points(reinterpret_cast<const uint16_t*>(weight.zero_points())),
          outer_table(weight.outer_table()),
          outer_scales(weight.outer_scales()),
          outer_group_size(weight.tensors.outer_group_size),
          outer_shift(weight.outer_shift),
          outer_offset(weight.tensors.outer_offset),
          order(weight.order()),
          codec(weight.codec),
          layout(fragment_layout(weight.tensors, weight.codec)),
          groups_per_row(uint32_t(layout.groups_per_row())),
          groups_per_record(uint32_t(layout.groups_per_record())),
          group_shift(shift_of(uint64_t(weight.codec.group_size))) {}

    const uint32_t* codes;  // 16-byte words of the lanes: layout.place(); of raw weights the checkpoint's bytes
    // Units of codec.unit_bytes(), by layout.scale_index(). A unit is a scale; a scale and a minimum, both f16; or a
    // k_quant's 16 bytes. Rows that are not there have units of zeros.
    const uint8_t* scales;
    const uint16_t* zero_points;  // by layout.lane_scales() / 4, row lane_row + 8i in bits 4i ...; or NULL
    const float* outer_table;     // nested scales: 256 values of the inner codes
    const float* outer_scales;
    int64_t outer_group_size;
    int32_t outer_shift;  // log2 of outer_group_size, -1 if it is not a power of two
    float outer_offset;
    const int32_t* order;  // act-order: order[packed k] = k of the checkpoint and of x; or NULL
    Codec codec;
    FragmentLayout layout;

    // For kernels, to which divisions are dear.
    uint32_t groups_per_row;     // of the layout: units
    uint32_t groups_per_record;  // of the layout: units
    int32_t group_shift;         // log2 of codec.group_size, -1 if it is not a power of two

  private:
    static int32_t shift_of(uint64_t size) { return std::has_single_bit(size) ? std::countr_zero(size) : -1; }
};

}  // namespace lk::cuda
