#include "formats/bitsandbytes.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "core/memory.h"

namespace lk::formats::bitsandbytes {
namespace {

using Tensors = lk_weight_tensors;

bool is_nested(const Tensors& t) {
    return t.outer_group_size != 0;
}
int64_t weights(const Tensors& t) {
    return t.out_features * t.in_features;
}

uint8_t code_at(const uint8_t* codes, int64_t i) {
    return static_cast<uint8_t>((i & 1) == 0 ? codes[i >> 1] >> 4 : codes[i >> 1] & 15);
}
void set_code(uint8_t* codes, int64_t i, uint8_t code) {
    uint8_t& byte = codes[i >> 1];
    byte = static_cast<uint8_t>((i & 1) == 0 ? (byte & 0x0f) | code << 4 : (byte & 0xf0) | code);
}

}  // namespace

void check(const Tensors& t) {
    if (t.group_size < 32 || t.group_size > 4096 || !std::has_single_bit(uint64_t(t.group_size))) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; bitsandbytes has powers of two from 32 to 4096",
             static_cast<long long>(t.group_size));
    }
    if (t.outer_group_size < 0 || t.outer_group_size > (1 << 20)) {
        fail(LK_INVALID_ARGUMENT, "tensors.outer_group_size: is %lld; allowed are 0 (plain absmax) and 1 ... 1048576",
             static_cast<long long>(t.outer_group_size));
    }
}

TensorSizes sizes(const Tensors& t) {
    const int64_t groups = divide_up(weights(t), t.group_size);
    TensorSizes sizes{.codes = divide_up(weights(t), 2), .scales = groups * (is_nested(t) ? 1 : 4)};
    if (t.table.size != 0) sizes.table = 16 * sizeof(float);
    if (is_nested(t)) {
        sizes.outer_table = 256 * sizeof(float);
        sizes.outer_scales = divide_up(groups, t.outer_group_size) * int64_t(sizeof(float));
    }
    return sizes;
}

Codec codec(const Tensors& t, const float table[16]) {
    Codec codec{.value_kind = ValueKind::table,
                .scale_kind = is_nested(t) ? ScaleKind::nested : ScaleKind::f32,
                .group_size = t.group_size,
                .groups_straddle_rows = t.in_features % t.group_size != 0};
    if (t.table.size != 0) {
        std::memcpy(codec.values, t.table.data, sizeof codec.values);
    } else {
        std::copy_n(table, 16, codec.values);
    }
    return codec;
}

void read_codes(const Tensors& t, int64_t row, uint8_t* codes) {
    const auto* source = static_cast<const uint8_t*>(t.codes.data);
    const int64_t first = row * t.in_features;
    int64_t k = 0;
    if ((first & 1) != 0 && t.in_features > 0) codes[k++] = source[first >> 1] & 15;
    for (const uint8_t* bytes = source + ((first + k) >> 1); k + 1 < t.in_features; k += 2) {
        const uint8_t pair = *bytes++;
        codes[k] = pair >> 4;
        codes[k + 1] = pair & 15;
    }
    if (k < t.in_features) codes[k] = code_at(source, first + k);
}

void write_codes(const Tensors& t, int64_t row, const uint8_t* codes) {
    auto* destination = static_cast<uint8_t*>(t.codes.data);
    const int64_t first = row * t.in_features;
    for (int64_t k = 0; k < t.in_features; ++k) set_code(destination, first + k, codes[k]);
}

void* unit_at(const Tensors& t, int64_t unit) {
    return static_cast<uint8_t*>(t.scales.data) + unit * (is_nested(t) ? 1 : 4);
}

std::vector<uint8_t> read_padding(const Tensors& t) {
    if (weights(t) % 2 == 0) return {};
    return {code_at(static_cast<const uint8_t*>(t.codes.data), weights(t))};
}

void write_padding(const Tensors& t, const std::vector<uint8_t>& padding) {
    if (!padding.empty()) set_code(static_cast<uint8_t*>(t.codes.data), weights(t), padding[0]);
}

}  // namespace lk::formats::bitsandbytes
