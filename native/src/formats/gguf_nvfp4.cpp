// GGUF NVFP4: blocks of 64 weights in 36 bytes: an E4M3 scale for each of 4 groups, then the codes, 8 bytes a group
// whose byte j holds elements j and j + 8. W = E2M1(q) * (E4M3(scale) * tensor_scale); the file has a tensor scale
// (`*.scale`) or it is 1. (ggml, block_nvfp4.)
#include "formats/check.h"
#include "formats/e2m1.h"

namespace lk::formats {
namespace {

constexpr int64_t kGroupWeights = 16;
constexpr int64_t kBlockWeights = 64;
constexpr int64_t kBlockBytes = 36;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, kGroupWeights, "GGUF NVFP4");
    expect_in_features_multiple_of(t, kBlockWeights, "GGUF NVFP4");
    e2m1::check_tensor_scale(t, "GGUF NVFP4");
    if (t.tensor_scale_divides != 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.tensor_scale_divides: is %u; GGUF NVFP4 multiplies, set 0",
             t.tensor_scale_divides);
    }
}

TensorSizes sizes(const lk_weight_tensors& t) {
    return {.codes = t.out_features * (t.in_features / kBlockWeights) * kBlockBytes};
}

Codec codec(const lk_weight_tensors& t) {
    return e2m1::codec({.scale_kind = ScaleKind::e4m3, .group_size = t.group_size, .tensor_scale = t.tensor_scale});
}

Storage storage(const lk_weight_tensors& t) {
    return {.codes = {.rows = t.out_features,
                      .columns = t.in_features,
                      .block_shift = 6,
                      .block_bytes = int(kBlockBytes),
                      .first_byte = 4,
                      .half_shift = 3},
            .units = {.among_codes = true, .stride = kBlockBytes, .block_shift = 2}};
}

void check_contents(const lk_weight_tensors& t) {
    e2m1::check_scales(t, storage(t).units, e2m1::is_finite_e4m3, e2m1::kFiniteE4m3);
}

}  // namespace

extern const Format kGgufNvfp4 = {.id = LK_FORMAT_GGUF_NVFP4,
                                  .name = "GGUF NVFP4",
                                  .has_tensor_scale = true,
                                  .check = check,
                                  .sizes = sizes,
                                  .check_contents = check_contents,
                                  .codec = codec,
                                  .storage = storage};

}  // namespace lk::formats
