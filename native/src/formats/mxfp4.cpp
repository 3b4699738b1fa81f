// OCP MXFP4: W = E2M1(q) * 2^(scale - 127), a scale per 32. The layout is that of OpenAI's checkpoints, each expert's
// `*_blocks` and `*_scales` taken as a matrix.
#include "formats/check.h"
#include "formats/e2m1.h"

namespace lk::formats {
namespace {

constexpr int64_t kGroupWeights = 32;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, kGroupWeights, "MXFP4");
    expect_in_features_multiple_of(t, kGroupWeights, "MXFP4");
}

void check_contents(const lk_weight_tensors& t) {
    e2m1::check_scales(
        t, e2m1::storage(t).units, [](uint8_t scale) { return scale != 0xff; },
        "a NaN in E8M0; MXFP4 has finite scales");
}

Codec codec(const lk_weight_tensors& t) {
    return e2m1::codec({.scale_kind = ScaleKind::e8m0, .group_size = t.group_size});
}

}  // namespace

extern const Format kMxfp4 = {.id = LK_FORMAT_MXFP4,
                              .name = "MXFP4",
                              .check = check,
                              .sizes = e2m1::sizes,
                              .check_contents = check_contents,
                              .codec = codec,
                              .storage = e2m1::storage};

}  // namespace lk::formats
