// Packed codes to fp32 in kernels: the same operations in the same order as on the CPU, so the same bits.
#pragma once

#include "packing/cuda/weight_view.h"
#include "platform/cuda/convert.cuh"
#include "platform/cuda/global_memory.cuh"

namespace lk::cuda {

// The scale of a group: `index` is its place in the packed array, `group` its flat index.
__device__ __forceinline__ float scale_of(const WeightView& weight, int64_t index, int64_t group) {
    if (weight.scale_kind == ScaleKind::f32) return reinterpret_cast<const float*>(weight.scales)[index];
    if (weight.scale_kind == ScaleKind::f16) {
        return to_float<Half>(reinterpret_cast<const uint16_t*>(weight.scales)[index]);
    }
    // bitsandbytes: dequantize blockwise, then add the offset; two roundings.
    const float inner = weight.outer_table[weight.scales[index]];
    const int64_t outer = weight.outer_shift >= 0 ? group >> weight.outer_shift : group / weight.outer_group_size;
    return add_rn(mul_rn(inner, weight.outer_scales[outer]), weight.outer_offset);
}

// The scales of a row of W, walked along k.
class ScaleWalk {
  public:
    __device__ __forceinline__ ScaleWalk(const WeightView& weight, int64_t row, int64_t k)
        : weight_(weight), group_size_(uint32_t(weight.layout.unit_size)) {
        const int64_t flat = row * weight.layout.in_features + k;
        group_ = flat / group_size_;
        left_ = group_size_ - uint32_t(flat - group_ * group_size_);
        load();
    }

    // The scale of the present k; the next call is for the next k.
    __device__ __forceinline__ float next() {
        if (left_ == 0) {
            ++group_;
            left_ = group_size_;
            load();
        }
        --left_;
        return scale_;
    }

  private:
    __device__ __forceinline__ void load() { scale_ = scale_of(weight_, weight_.layout.unit_index(group_), group_); }

    const WeightView& weight_;
    uint32_t group_size_;
    int64_t group_;
    uint32_t left_;
    float scale_;
};

__device__ __forceinline__ uint32_t code_of(uint32_t word, int k) {
    return word >> ((k & 3) * 8 + (k & 4)) & 15;
}

// The 8 weights of one word: a step of a column. What lies past the row's end is 0.
__device__ __forceinline__ void decode_word(const WeightView& weight, const float* values, int64_t panel, int64_t step,
                                            int64_t column, float (&out)[8]) {
    const PanelLayout& layout = weight.layout;
    const int64_t row = panel * PanelLayout::kColumns + column;
    const int64_t first_k = step * PanelLayout::kStepDepth;
    const uint32_t word =
        load_nc(reinterpret_cast<const uint32_t*>(weight.codes + layout.word_offset(panel, step, column)));
    if (layout.rows_begin_units) {  // then groups are whole steps
        const int64_t groups_per_row = layout.units_per_row();
        const int64_t group_of_row = uint32_t(first_k) / uint32_t(layout.unit_size);
        const int64_t index =
            panel * PanelLayout::kColumns * groups_per_row + group_of_row * layout.columns(panel) + column;
        const float scale = scale_of(weight, index, row * groups_per_row + group_of_row);
#pragma unroll
        for (int k = 0; k < 8; ++k) out[k] = mul_rn(values[code_of(word, k)], scale);
        return;
    }
    ScaleWalk scales(weight, row, first_k);
#pragma unroll
    for (int k = 0; k < 8; ++k) {
        out[k] = 0;
        if (first_k + k < layout.in_features) out[k] = mul_rn(values[code_of(word, k)], scales.next());
    }
}

// One weight.
__device__ __forceinline__ float weight_at(const WeightView& weight, int64_t row, int64_t k) {
    const PanelLayout& layout = weight.layout;
    const uint32_t word = load_nc(reinterpret_cast<const uint32_t*>(
        weight.codes +
        layout.word_offset(row / PanelLayout::kColumns, k / PanelLayout::kStepDepth, row % PanelLayout::kColumns)));
    const int64_t group = (row * layout.in_features + k) / layout.unit_size;
    const float scale = scale_of(weight, layout.unit_index(group), group);
    return mul_rn(weight.values[code_of(word, int(k % PanelLayout::kStepDepth))], scale);
}

}  // namespace lk::cuda
