// GGUF Q4_K: blocks of 256 weights in 144 bytes: f16 d, f16 dmin, 12 bytes with a 6-bit scale and minimum for each of 8
// groups (formats/scale.h), then the codes: 32 bytes hold two groups, one in the low nibbles and one in the high ones.
// W = (d * scale) * q - dmin * minimum. (ggml, block_q4_K.)
#include "formats/check.h"
#include "formats/format.h"

namespace lk::formats {
namespace {

constexpr int64_t kGroupWeights = 32;
constexpr int64_t kBlockWeights = 256;
constexpr int64_t kBlockBytes = 144;

void check(const lk_weight_tensors& t) {
    expect_group_size(t, kGroupWeights, "GGUF Q4_K");
    expect_in_features_multiple_of(t, kBlockWeights, "GGUF Q4_K");
}

TensorSizes sizes(const lk_weight_tensors& t) {
    return {.codes = t.out_features * (t.in_features / kBlockWeights) * kBlockBytes};
}

Codec codec(const lk_weight_tensors& t) {
    return affine({.scale_kind = ScaleKind::k_quant,
                   .offset_kind = OffsetKind::k_quant,
                   .affine_zero = 0,
                   .group_size = t.group_size});
}

Storage storage(const lk_weight_tensors& t) {
    return {.codes = {.rows = t.out_features,
                      .columns = t.in_features,
                      .block_shift = 8,
                      .block_bytes = int(kBlockBytes),
                      .first_byte = 16,
                      .half_shift = 5},
            .units = {.among_codes = true, .stride = kBlockBytes}};
}

}  // namespace

extern const Format kGgufQ4_K = {
    .id = LK_FORMAT_GGUF_Q4_K, .name = "GGUF Q4_K", .check = check, .sizes = sizes, .codec = codec, .storage = storage};

}  // namespace lk::formats
