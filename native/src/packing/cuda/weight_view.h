// A packed weight as kernels get it, by value.
#pragma once

#include <algorithm>

#include "packing/weight.h"

namespace lk::cuda {

struct WeightView {
    explicit WeightView(const lk_weight& weight)
        : codes(weight.codes()),
          scales(weight.scales()),
          outer_table(weight.outer_table()),
          outer_scales(weight.outer_scales()),
          outer_group_size(weight.tensors.outer_group_size),
          outer_shift(weight.outer_shift),
          outer_offset(weight.tensors.outer_offset),
          scale_kind(weight.codec.scale_kind),
          layout(weight.layout) {
        std::copy_n(weight.codec.values, 16, values);
    }

    const uint8_t* codes;
    const uint8_t* scales;
    const float* outer_table;
    const float* outer_scales;
    int64_t outer_group_size;
    int32_t outer_shift;  // log2 of outer_group_size, -1 if it is not a power of two
    float outer_offset;
    ScaleKind scale_kind;
    PanelLayout layout;
    float values[16];
};

}  // namespace lk::cuda
