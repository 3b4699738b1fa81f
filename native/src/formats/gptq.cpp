// GPTQ, as AutoGPTQ and GPTQModel write it: W[n, k] = (q - zero) * scale[g, n]. Codes are packed along k, zero points
// along n, eight to a 32-bit word from its lowest bits on; both tensors, and the scales, have n running fastest. The
// first version of the format stores zero points less 1, and so a zero of 16 as 15; the second as they are. g is k /
// group_size, or with act-order (desc_act) the group index's (g_idx).
#include "core/dtype.h"
#include "formats/check.h"
#include "formats/integer.h"

namespace lk::formats {
namespace {

using Tensors = lk_weight_tensors;

void check(const Tensors& t) {
    integer::check_group_size(t, 32);
    integer::check_scale_dtype(t);
    integer::check_out_features_multiple_of(t, 8, "GPTQ");
    expect_in_features_multiple_of(t, 8, "GPTQ");
}

TensorSizes sizes(const Tensors& t) {
    TensorSizes sizes = integer::sizes(t);
    sizes.codes = t.in_features * (t.out_features / 2);
    sizes.zero_points = integer::groups_of_row(t) * (t.out_features / 2);
    return sizes;
}

Codec codec_v1(const Tensors& t) {
    return integer::with_zero_points(t, 1);
}
Codec codec_v2(const Tensors& t) {
    return integer::with_zero_points(t, 0);
}

Storage storage(const Tensors& t) {
    const int64_t groups = integer::groups_of_row(t);
    return {
        .codes = {.order = NibbleOrder::column_words, .rows = t.out_features, .columns = t.in_features},
        .zero_points = {.order = NibbleOrder::row_words, .rows = t.out_features, .columns = groups},
        .units = {.stride = size_of(t.scale_dtype), .transposed_rows = t.out_features, .transposed_groups = groups}};
}

}  // namespace

extern const Format kGptq = {.id = LK_FORMAT_GPTQ,
                             .name = "GPTQ",
                             .has_scale_dtype = true,
                             .check = check,
                             .sizes = sizes,
                             .codec = codec_v1,
                             .storage = storage};
extern const Format kGptqV2 = {.id = LK_FORMAT_GPTQ_V2,
                               .name = "GPTQ v2",
                               .has_scale_dtype = true,
                               .check = check,
                               .sizes = sizes,
                               .codec = codec_v2,
                               .storage = storage};

}  // namespace lk::formats
