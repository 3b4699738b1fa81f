// GPTQ, as AutoGPTQ and GPTQModel write it: W[n, k] = (q - zero) * scale[g, n]. Codes are packed along k, zero points
// along n, eight to a 32-bit word from its lowest bits on; both tensors, and the scales, have n running fastest. The
// first version of the format stores zero points less 1, and so a zero of 16 as 15; the second as they are. g is k /
// group_size, or with act-order (desc_act) the group index's (g_idx).
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

Codec codec_v1(const Tensors& t) {
    return integer::with_zero_points(t, 1);
}
Codec codec_v2(const Tensors& t) {
    return integer::with_zero_points(t, 0);
}

Storage storage(const Tensors& t) {
    return {
        .codes = {.order = NibbleOrder::column_words, .rows = t.out_features, .columns = t.in_features},
        .zero_points = {.order = NibbleOrder::row_words, .rows = t.out_features, .columns = integer::groups_of_row(t)},
        .units = integer::units_by_columns(t)};
}

}  // namespace

extern const Format kGptq = {.id = LK_FORMAT_GPTQ,
                             .name = "GPTQ",
                             .has_scale_dtype = true,
                             .check = check,
                             .sizes = integer::sizes_by_columns,
                             .codec = codec_v1,
                             .storage = storage};
extern const Format kGptqV2 = {.id = LK_FORMAT_GPTQ_V2,
                               .name = "GPTQ v2",
                               .has_scale_dtype = true,
                               .check = check,
                               .sizes = integer::sizes_by_columns,
                               .codec = codec_v2,
                               .storage = storage};

}  // namespace lk::formats
