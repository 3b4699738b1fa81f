// GGUF IQ4_NL: blocks of 32 weights in 18 bytes, f16 d and the codes; W = d * T[q]. (ggml, kvalues_iq4nl.)
#include "formats/gguf.h"

namespace lk::formats {
namespace {

using Blocks = gguf::Blocks<2>;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, gguf::kBlockWeights, "GGUF IQ4_NL");
    expect_in_features_multiple_of(t, gguf::kBlockWeights, "GGUF IQ4_NL");
}

Codec codec(const lk_weight_tensors& t) {
    return {.value_kind = ValueKind::table,
            .scale_kind = ScaleKind::f16,
            .values = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113},
            .group_size = t.group_size};
}

}  // namespace

extern const Format kGgufIq4Nl = {.id = LK_FORMAT_GGUF_IQ4_NL,
                                  .name = "GGUF IQ4_NL",
                                  .check = check,
                                  .sizes = Blocks::sizes,
                                  .codec = codec,
                                  .storage = Blocks::storage};

}  // namespace lk::formats
