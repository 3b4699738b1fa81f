// Quantization to NF4 by bitsandbytes' rules.
#pragma once

#include <vector>

#include "lorakernels.h"

namespace lk {

// Partial sums of the mean of absmax: one order of addition, so one result on every device.
inline constexpr int kSumLanes = 256;

namespace cpu {

// Writes the groups' absmax to tensors.scales; where tensors.outer_group_size is not 0, quantized in turn, with the
// outer tensors.
void write_scales(const std::vector<float>& absmax, lk_weight_tensors& tensors);

// Names an element, given by its flat index, that cannot be quantized.
[[noreturn]] void fail_not_finite(const lk_matrix& w, int64_t index, float value);

// w[N, K] to codes and scales, nested where tensors.outer_group_size is not 0. Buffers have the sizes that the format
// sets. Throws LK_INVALID_ARGUMENT for a non-finite element.
void quantize(const lk_matrix& w, lk_weight_tensors& tensors);

}  // namespace cpu
}  // namespace lk
