// GGUF Q4_0: blocks of 32 weights in 18 bytes, f16 d and the codes; W = d * (q - 8).
#include "formats/gguf.h"

namespace lk::formats {
namespace {

using Blocks = gguf::Blocks<2>;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, gguf::kBlockWeights, "GGUF Q4_0");
    expect_in_features_multiple_of(t, gguf::kBlockWeights, "GGUF Q4_0");
}

Codec codec(const lk_weight_tensors& t) {
    return affine({.scale_kind = ScaleKind::f16, .affine_zero = 8, .group_size = t.group_size});
}

}  // namespace

extern const Format kGgufQ4_0 = {.id = LK_FORMAT_GGUF_Q4_0,
                                 .name = "GGUF Q4_0",
                                 .check = check,
                                 .sizes = Blocks::sizes,
                                 .codec = codec,
                                 .storage = Blocks::storage};

}  // namespace lk::formats
