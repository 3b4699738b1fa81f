// What the batch kernels would otherwise compute of a weight again and again.
#pragma once

#include "packing/cuda/fragment_view.h"

namespace lk::cuda {

struct BatchWeight {
    explicit BatchWeight(const FragmentView& weight)
        : factor(weight.codec.scale_kind != ScaleKind::e4m3 ? 1.0f
                 : weight.codec.tensor_scale_divides        ? 1.0f / weight.codec.tensor_scale
                                                            : weight.codec.tensor_scale),
          zero(weight.codec.offset_kind == OffsetKind::zero_point ? weight.codec.zero_bias : weight.codec.affine_zero),
          panels(int32_t(weight.layout.panels())),
          blocks(int32_t(weight.layout.blocks())),
          group_blocks(int32_t(divide_up(weight.codec.group_size, FragmentLayout::kBlockDepth))),
          unit_bytes(int32_t(weight.codec.unit_bytes())),
          units_together_shift(std::countr_zero(weight.groups_per_record)) {}

    float factor;  // of all weights: a tensor's scale
    int32_t zero;  // of every group, or what is added to the zero points stored
    int32_t panels;
    int32_t blocks;
    int32_t group_blocks;  // k-blocks of a group; for groups of 16: 1
    int32_t unit_bytes;
    int32_t units_together_shift;  // log2 of the units that a full record interleaves
};

}  // namespace lk::cuda
