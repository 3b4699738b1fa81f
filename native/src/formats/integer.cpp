#include "formats/integer.h"

#include "core/dtype.h"
#include "core/enum_bits.h"
#include "core/error.h"

namespace lk::formats::integer {
namespace {

constexpr int64_t kLargestGroup = int64_t{1} << 31;

Codec codec(const lk_weight_tensors& t, OffsetKind offset, int32_t affine_zero) {
    const ScaleKind scale_kind = t.scale_dtype == LK_DTYPE_F32   ? ScaleKind::f32
                                 : t.scale_dtype == LK_DTYPE_F16 ? ScaleKind::f16
                                                                 : ScaleKind::bf16;
    return affine(
        {.scale_kind = scale_kind, .offset_kind = offset, .affine_zero = affine_zero, .group_size = t.group_size});
}

}  // namespace

void check_group_size(const lk_weight_tensors& t, int64_t multiple) {
    const bool whole_rows = t.group_size == t.in_features && t.group_size > 0;
    if (!whole_rows && (t.group_size < multiple || t.group_size > kLargestGroup || t.group_size % multiple != 0)) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; allowed are multiples of %lld, and in_features (%lld)",
             static_cast<long long>(t.group_size), static_cast<long long>(multiple),
             static_cast<long long>(t.in_features));
    }
}

void check_scale_dtype(const lk_weight_tensors& t) {
    if (!is_dtype(raw(t.scale_dtype))) {
        fail(LK_INVALID_ARGUMENT, "tensors.scale_dtype: is %d; allowed are f32 (0), f16 (1), bf16 (2)",
             raw(t.scale_dtype));
    }
}

void check_out_features_multiple_of(const lk_weight_tensors& t, int64_t multiple, const char* format) {
    if (t.out_features % multiple != 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.out_features: is %lld; %s has multiples of %lld",
             static_cast<long long>(t.out_features), format, static_cast<long long>(multiple));
    }
}

TensorSizes sizes(const lk_weight_tensors& t) {
    TensorSizes sizes{.scales = t.out_features * groups_of_row(t) * size_of(t.scale_dtype)};
    if (t.group_index.size != 0) sizes.group_index = t.in_features * int64_t(sizeof(int32_t));
    return sizes;
}

TensorSizes sizes_by_columns(const lk_weight_tensors& t) {
    TensorSizes result = sizes(t);
    result.codes = t.in_features * (t.out_features / 2);
    result.zero_points = groups_of_row(t) * (t.out_features / 2);
    return result;
}

UnitStorage units_by_columns(const lk_weight_tensors& t) {
    return {.stride = size_of(t.scale_dtype), .transposed_rows = t.out_features, .transposed_groups = groups_of_row(t)};
}

Codec symmetric(const lk_weight_tensors& t) {
    return codec(t, OffsetKind::none, 8);
}
Codec with_zero_points(const lk_weight_tensors& t, int32_t bias) {
    Codec result = codec(t, OffsetKind::zero_point, 0);
    result.zero_bias = bias;
    return result;
}
Codec with_float_zeros(const lk_weight_tensors& t) {
    return codec(t, OffsetKind::float_zero, 0);
}

}  // namespace lk::formats::integer
