// What stored scales of more than one step are worth: the producer's sequence of fp32 operations, once for all kernels.
// Those of one step are in formats/scale.h.
#pragma once

#include "packing/cuda/fragment_view.h"
#include "platform/cuda/convert.cuh"

namespace lk::cuda {

// W = value * scale + minimum.
struct GroupScale {
    float scale;
    float minimum;
};

// bitsandbytes' nested absmax: dequantize blockwise, then add the offset; two roundings. `inner` is the code's entry of
// the outer table, groups are numbered as in the checkpoint. `power_of_two`: outer_group_size is one for certain.
__device__ __forceinline__ float nested_scale(const FragmentView& weight, float inner, int64_t group,
                                              bool power_of_two = false) {
    const int64_t outer = power_of_two || weight.outer_shift >= 0
                              ? group >> weight.outer_shift
                              : int64_t(uint32_t(group) / uint32_t(weight.outer_group_size));
    return add_rn(mul_rn(inner, weight.outer_scales[outer]), weight.outer_offset);
}

// The six bits of a k_quant's group, of words of four groups each: `low` holds those of groups 0 ... 3 and the upper
// two of 4 ... 7, `high` the lower four.
__device__ __forceinline__ float k_quant_bits(uint32_t low, uint32_t high, uint32_t group, uint32_t high_shift) {
    const uint32_t shift = group % 4 * 8;
    const uint32_t near = low >> shift & 63;
    const uint32_t far = (high >> (shift + high_shift) & 15) | (low >> (shift + 6) & 3) << 4;
    return float(group < 4 ? near : far);
}

// GGUF's K quants: f16 d and dmin, then 6-bit scales and minimums of 8 groups of 32 in 12 bytes.
__device__ __forceinline__ GroupScale k_quant_scale(const uint4& unit, uint32_t group) {
    const float scale = k_quant_bits(unit.y, unit.w, group, 0);
    const float minimum = k_quant_bits(unit.z, unit.w, group, 4);
    return {mul_rn(low_to_float<Half>(unit.x), scale), -mul_rn(high_to_float<Half>(unit.x), minimum)};
}

}  // namespace lk::cuda
