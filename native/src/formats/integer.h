// What formats of plain integers share: W = (q - zero) * scale, scales of the checkpoint's own type, a zero point a
// group or one for all.
#pragma once

#include "formats/format.h"

namespace lk::formats::integer {

inline int64_t groups_of_row(const lk_weight_tensors& t) {
    return t.group_size > 0 ? (t.in_features + t.group_size - 1) / t.group_size : 0;
}

// Throws unless the group size is in_features, or a multiple of `multiple`.
void check_group_size(const lk_weight_tensors& tensors, int64_t multiple);
void check_scale_dtype(const lk_weight_tensors& tensors);
void check_out_features_multiple_of(const lk_weight_tensors& tensors, int64_t multiple, const char* format);

// Bytes of scales, and of an act-order's group index if there is one.
TensorSizes sizes(const lk_weight_tensors& tensors);

// What AWQ and GPTQ share: all tensors have n running fastest, codes and zero points fill 32-bit words.
TensorSizes sizes_by_columns(const lk_weight_tensors& tensors);
UnitStorage units_by_columns(const lk_weight_tensors& tensors);

// Without zero points: codes are stored plus 8.
Codec symmetric(const lk_weight_tensors& tensors);
// W = (q - (z + bias)) * scale.
Codec with_zero_points(const lk_weight_tensors& tensors, int32_t bias);
// W = (q - z) * scale, z a number of the scale's type.
Codec with_float_zeros(const lk_weight_tensors& tensors);

}  // namespace lk::formats::integer
