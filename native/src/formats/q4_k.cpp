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
constexpr int64_t kCodesOffset = 16;

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

void* block_at(const lk_weight_tensors& t, int64_t block) {
    return static_cast<uint8_t*>(t.codes.data) + block * kBlockBytes;
}

// The 32 bytes that hold groups 2 * pair and 2 * pair + 1 of a row.
uint8_t* pair_at(const lk_weight_tensors& t, int64_t row, int64_t pair) {
    constexpr int64_t pairs_of_block = kBlockWeights / kGroupWeights / 2;
    const int64_t block = row * (t.in_features / kBlockWeights) + pair / pairs_of_block;
    return static_cast<uint8_t*>(block_at(t, block)) + kCodesOffset + pair % pairs_of_block * kGroupWeights;
}

void read_codes(const lk_weight_tensors& t, int64_t row, uint8_t* codes) {
    for (int64_t pair = 0; pair < t.in_features / (2 * kGroupWeights); ++pair, codes += 2 * kGroupWeights) {
        const uint8_t* bytes = pair_at(t, row, pair);
        for (int64_t j = 0; j < kGroupWeights; ++j) {
            codes[j] = bytes[j] & 15;
            codes[kGroupWeights + j] = bytes[j] >> 4;
        }
    }
}

void write_codes(const lk_weight_tensors& t, int64_t row, const uint8_t* codes) {
    for (int64_t pair = 0; pair < t.in_features / (2 * kGroupWeights); ++pair, codes += 2 * kGroupWeights) {
        uint8_t* bytes = pair_at(t, row, pair);
        for (int64_t j = 0; j < kGroupWeights; ++j) {
            bytes[j] = static_cast<uint8_t>(codes[j] | codes[kGroupWeights + j] << 4);
        }
    }
}

}  // namespace

extern const Format kGgufQ4_K = {.id = LK_FORMAT_GGUF_Q4_K,
                                 .name = "GGUF Q4_K",
                                 .check = check,
                                 .sizes = sizes,
                                 .codec = codec,
                                 .read_codes = read_codes,
                                 .write_codes = write_codes,
                                 .unit_at = block_at};

}  // namespace lk::formats
