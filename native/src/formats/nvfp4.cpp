// NVFP4: W = E2M1(q) * s, an E4M3 scale per 16 and one fp32 scale for the tensor. ModelOpt's `weight_scale_2`
// multiplies, s = E4M3(scale) * tensor_scale; compressed-tensors' `weight_global_scale` divides. Each is done as its
// producer does, in fp32.
#include <cmath>

#include "formats/check.h"
#include "formats/e2m1.h"

namespace lk::formats {
namespace {

constexpr int64_t kGroupWeights = 16;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, kGroupWeights, "NVFP4");
    expect_in_features_multiple_of(t, kGroupWeights, "NVFP4");
    if (!std::isfinite(t.tensor_scale) || t.tensor_scale <= 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.tensor_scale: is %g; NVFP4 has a finite one above 0",
             double(t.tensor_scale));
    }
    if (t.tensor_scale_divides > 1) {
        fail(LK_INVALID_ARGUMENT, "tensors.tensor_scale_divides: is %u; allowed are 0 and 1", t.tensor_scale_divides);
    }
}

void check_contents(const lk_weight_tensors& t) {
    e2m1::check_scales(
        t, [](uint8_t scale) { return scale < 0x7f; }, "negative or a NaN in E4M3; NVFP4 has finite scales from 0 on");
}

Codec codec(const lk_weight_tensors& t) {
    return e2m1::codec({.scale_kind = ScaleKind::e4m3,
                        .group_size = t.group_size,
                        .tensor_scale = t.tensor_scale,
                        .tensor_scale_divides = t.tensor_scale_divides != 0});
}

}  // namespace

extern const Format kNvfp4 = {.id = LK_FORMAT_NVFP4,
                              .name = "NVFP4",
                              .has_tensor_scale = true,
                              .check = check,
                              .sizes = e2m1::sizes,
                              .check_contents = check_contents,
                              .codec = codec,
                              .storage = e2m1::storage};

}  // namespace lk::formats
