#include "formats/q4_0.h"

#include "core/error.h"
#include "formats/format_list.h"

namespace lk::q4_0 {
namespace {

using Tensors = lk_weight_tensors;

void set_sizes(Tensors& t) {
    t.codes.size = t.out_features * (t.in_features / kBlockWeights) * kBlockBytes;
    t.scales.size = t.outer_table.size = t.outer_scales.size = 0;
}

void check(const Tensors& t) {
    if (t.group_size != kBlockWeights) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; Q4_0 has 32", static_cast<long long>(t.group_size));
    }
    if (t.in_features % kBlockWeights != 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.in_features: is %lld; Q4_0 has multiples of 32",
             static_cast<long long>(t.in_features));
    }
    if (t.outer_group_size != 0 || t.outer_offset != 0.0f) {
        fail(LK_INVALID_ARGUMENT, "tensors.outer_group_size, outer_offset: are %lld, %g; Q4_0 has neither, set 0",
             static_cast<long long>(t.outer_group_size), double(t.outer_offset));
    }
    Tensors expected = t;
    set_sizes(expected);
    if (t.codes.size != expected.codes.size) {
        fail(LK_INVALID_ARGUMENT, "tensors.codes.size: is %lld bytes, the shape needs %lld",
             static_cast<long long>(t.codes.size), static_cast<long long>(expected.codes.size));
    }
    if (t.scales.size != 0 || t.table.size != 0 || t.outer_table.size != 0 || t.outer_scales.size != 0) {
        fail(LK_INVALID_ARGUMENT,
             "tensors: Q4_0 has codes only, leave scales, table, outer_table and outer_scales empty");
    }
}

ScaleKind scale_kind(const Tensors&) {
    return ScaleKind::f16;
}

void values(const Tensors&, float out[16]) {
    for (int code = 0; code < 16; ++code) out[code] = value(code);
}

uint8_t* block_at(const Tensors& t, int64_t block) {
    return static_cast<uint8_t*>(t.codes.data) + block * kBlockBytes;
}

void read_codes(const Tensors& t, int64_t row, uint8_t* codes) {
    const int64_t blocks = t.in_features / kBlockWeights;
    for (int64_t b = 0; b < blocks; ++b) {
        const uint8_t* nibbles = block_at(t, row * blocks + b) + kCodesOffset;
        for (int64_t j = 0; j < kBlockWeights / 2; ++j) {
            codes[b * kBlockWeights + j] = nibbles[j] & 15;
            codes[b * kBlockWeights + kBlockWeights / 2 + j] = nibbles[j] >> 4;
        }
    }
}

void write_codes(const Tensors& t, int64_t row, const uint8_t* codes) {
    const int64_t blocks = t.in_features / kBlockWeights;
    for (int64_t b = 0; b < blocks; ++b) {
        uint8_t* nibbles = block_at(t, row * blocks + b) + kCodesOffset;
        const uint8_t* low = codes + b * kBlockWeights;
        for (int64_t j = 0; j < kBlockWeights / 2; ++j) {
            nibbles[j] = static_cast<uint8_t>(low[j] | low[kBlockWeights / 2 + j] << 4);
        }
    }
}

void* scale_at(const Tensors& t, int64_t group) {
    return block_at(t, group);
}

}  // namespace

const Format kFormat = {LK_FORMAT_GGUF_Q4_0, "GGUF Q4_0", check,   set_sizes, scale_kind, values,
                        read_codes,          write_codes, scale_at};

}  // namespace lk::q4_0
