// AWQ in its GEMM version: W[n, k] = (q - z) * scale[g, n], g = k / group_size. Codes and zero points are packed along
// n, eight to a 32-bit word, in the order 0 2 4 6 1 3 5 7 from its lowest bits on.
#include "core/dtype.h"
#include "formats/integer.h"

namespace lk::formats {
namespace {

using Tensors = lk_weight_tensors;

void check(const Tensors& t) {
    integer::check_group_size(t, 32);
    integer::check_scale_dtype(t);
    integer::check_out_features_multiple_of(t, 8, "AWQ");
}

TensorSizes sizes(const Tensors& t) {
    TensorSizes sizes = integer::sizes(t);
    sizes.group_index = 0;
    sizes.codes = t.in_features * (t.out_features / 2);
    sizes.zero_points = integer::groups_of_row(t) * (t.out_features / 2);
    return sizes;
}

Codec codec(const Tensors& t) {
    return integer::with_zero_points(t, 0);
}

NibbleStorage packed_along_rows(const Tensors& t, int64_t columns) {
    return {.order = NibbleOrder::row_words, .rows = t.out_features, .columns = columns, .interleaved = true};
}

Storage storage(const Tensors& t) {
    const int64_t groups = integer::groups_of_row(t);
    return {
        .codes = packed_along_rows(t, t.in_features),
        .zero_points = packed_along_rows(t, groups),
        .units = {.stride = size_of(t.scale_dtype), .transposed_rows = t.out_features, .transposed_groups = groups}};
}

}  // namespace

extern const Format kAwq = {.id = LK_FORMAT_AWQ,
                            .name = "AWQ",
                            .has_scale_dtype = true,
                            .check = check,
                            .sizes = sizes,
                            .codec = codec,
                            .storage = storage};

}  // namespace lk::formats
