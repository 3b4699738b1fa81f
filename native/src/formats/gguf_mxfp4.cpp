// GGUF MXFP4: blocks of 32 weights in 17 bytes, an E8M0 scale and the codes; W = E2M1(q) * 2^(scale - 127). (ggml,
// block_mxfp4, whose values are twice as large and whose scales half: the same products.)
#include "formats/e2m1.h"
#include "formats/gguf.h"

namespace lk::formats {
namespace {

using Blocks = gguf::Blocks<1>;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, gguf::kBlockWeights, "GGUF MXFP4");
    expect_in_features_multiple_of(t, gguf::kBlockWeights, "GGUF MXFP4");
}

void check_contents(const lk_weight_tensors& t) {
    e2m1::check_scales(
        t, Blocks::storage(t).units, [](uint8_t scale) { return scale != 0xff; },
        "a NaN in E8M0; MXFP4 has finite scales");
}

Codec codec(const lk_weight_tensors& t) {
    return e2m1::codec({.scale_kind = ScaleKind::e8m0, .group_size = t.group_size});
}

}  // namespace

extern const Format kGgufMxfp4 = {.id = LK_FORMAT_GGUF_MXFP4,
                                  .name = "GGUF MXFP4",
                                  .check = check,
                                  .sizes = Blocks::sizes,
                                  .check_contents = check_contents,
                                  .codec = codec,
                                  .storage = Blocks::storage};

}  // namespace lk::formats
