// Quantization, to a checkpoint's tensors on the host. Buffers have the sizes that the format sets, and are zeros.
#pragma once

#include <vector>

#include "formats/levels.h"
#include "lorakernels.h"
#include "quantize/path.h"

namespace lk {

// Partial sums of the mean of absmax: one order of addition, so one result on every device.
inline constexpr int kSumLanes = 256;

// Of LK_FORMAT_BNB_NF4 or LK_FORMAT_BNB_FP4.
const Levels& levels_of(lk_format format);

namespace cpu {

// w[N, K] to tensors.format, which is one that can be made. Throws LK_INVALID_ARGUMENT for an element that is not
// finite, or a scale beyond its type.
void quantize(const quantizing::Path& path, const lk_matrix& w, lk_weight_tensors& tensors);

// bitsandbytes: writes the groups' absmax to tensors.scales; where tensors.outer_group_size is not 0, quantized in
// turn, with the outer tensors.
void write_scales(const std::vector<float>& absmax, lk_weight_tensors& tensors);

// int4: writes the groups' zero points, row by row, to tensors.zero_points.
void write_zero_points(const std::vector<uint8_t>& zeros, lk_weight_tensors& tensors);

// Names an element, given by its flat index, that cannot be quantized.
[[noreturn]] void fail_not_finite(const lk_matrix& w, int64_t index, float value);
// Names a group, given by its number, whose elements are finite while its scale is not.
[[noreturn]] void fail_scale(const lk_weight_tensors& tensors, int64_t group);

}  // namespace cpu
}  // namespace lk
