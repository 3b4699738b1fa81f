// GGUF Q4_1: blocks of 32 weights in 20 bytes, f16 d, f16 m and the codes; W = d * q + m.
#include "formats/gguf.h"

namespace lk::formats {
namespace {

using Blocks = gguf::Blocks<4>;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, gguf::kBlockWeights, "GGUF Q4_1");
    expect_in_features_multiple_of(t, gguf::kBlockWeights, "GGUF Q4_1");
}

Codec codec(const lk_weight_tensors& t) {
    return affine({.scale_kind = ScaleKind::f16,
                   .offset_kind = OffsetKind::minimum,
                   .affine_zero = 0,
                   .group_size = t.group_size});
}

}  // namespace

extern const Format kGgufQ4_1 = {.id = LK_FORMAT_GGUF_Q4_1,
                                 .name = "GGUF Q4_1",
                                 .check = check,
                                 .sizes = Blocks::sizes,
                                 .codec = codec,
                                 .storage = Blocks::storage};

}  // namespace lk::formats
