// NVFP4: W = E2M1(q) * s, an E4M3 scale per 16 and one fp32 scale for the tensor. ModelOpt's `weight_scale_2`
// multiplies, s = E4M3(scale) * tensor_scale; compressed-tensors' `weight_global_scale` divides. Each is done as its
// producer does, in fp32.
#include "formats/check.h"
#include "formats/e2m1.h"

namespace lk::formats {
namespace {

constexpr int64_t kGroupWeights = 16;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, kGroupWeights, "NVFP4");
    expect_in_features_multiple_of(t, kGroupWeights, "NVFP4");
    e2m1::check_tensor_scale(t, "NVFP4");
    if (t.tensor_scale_divides > 1) {
        fail(LK_INVALID_ARGUMENT, "tensors.tensor_scale_divides: is %u; allowed are 0 and 1", t.tensor_scale_divides);
    }
}

void check_contents(const lk_weight_tensors& t) {
    e2m1::check_scales(t, e2m1::storage(t).units, e2m1::is_finite_e4m3, e2m1::kFiniteE4m3);
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
