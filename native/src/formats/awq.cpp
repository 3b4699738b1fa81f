// AWQ in its GEMM version: W[n, k] = (q - z) * scale[g, n], g = k / group_size. Codes and zero points are packed along
// n, eight to a 32-bit word, in the order 0 2 4 6 1 3 5 7 from its lowest bits on.
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
    TensorSizes sizes = integer::sizes_by_columns(t);
    sizes.group_index = 0;
    return sizes;
}

Codec codec(const Tensors& t) {
    return integer::with_zero_points(t, 0);
}

NibbleStorage packed_along_rows(const Tensors& t, int64_t columns) {
    return {.order = NibbleOrder::row_words, .rows = t.out_features, .columns = columns, .interleaved = true};
}

Storage storage(const Tensors& t) {
    return {.codes = packed_along_rows(t, t.in_features),
            .zero_points = packed_along_rows(t, integer::groups_of_row(t)),
            .units = integer::units_by_columns(t)};
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
