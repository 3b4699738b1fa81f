#include "formats/nf4.h"

#include <bit>
#include <cstring>

#include "core/error.h"
#include "core/memory.h"
#include "formats/format_list.h"

namespace lk::nf4 {
namespace {

using Tensors = lk_weight_tensors;

bool is_nested(const Tensors& t) {
    return t.outer_group_size != 0;
}
int64_t weights(const Tensors& t) {
    return t.out_features * t.in_features;
}
int64_t groups(const Tensors& t) {
    return divide_up(weights(t), t.group_size);
}

void set_sizes(Tensors& t) {
    t.codes.size = divide_up(weights(t), 2);
    t.scales.size = groups(t) * (is_nested(t) ? 1 : 4);
    t.outer_table.size = is_nested(t) ? 256 * 4 : 0;
    t.outer_scales.size = is_nested(t) ? divide_up(groups(t), t.outer_group_size) * 4 : 0;
}

void expect_size(const char* name, int64_t size, int64_t expected) {
    if (size != expected) {
        fail(LK_INVALID_ARGUMENT, "tensors.%s.size: is %lld bytes, the shape needs %lld", name,
             static_cast<long long>(size), static_cast<long long>(expected));
    }
}

void check(const Tensors& t) {
    if (t.group_size < 32 || t.group_size > 4096 || !std::has_single_bit(uint64_t(t.group_size))) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; bitsandbytes has powers of two from 32 to 4096",
             static_cast<long long>(t.group_size));
    }
    if (t.outer_group_size < 0 || t.outer_group_size > (1 << 20)) {
        fail(LK_INVALID_ARGUMENT, "tensors.outer_group_size: is %lld; allowed are 0 (plain absmax) and 1 ... 1048576",
             static_cast<long long>(t.outer_group_size));
    }
    Tensors expected = t;
    set_sizes(expected);
    expect_size("codes", t.codes.size, expected.codes.size);
    expect_size("scales", t.scales.size, expected.scales.size);
    expect_size("outer_table", t.outer_table.size, expected.outer_table.size);
    expect_size("outer_scales", t.outer_scales.size, expected.outer_scales.size);
    if (t.table.size != 0) expect_size("table", t.table.size, 16 * 4);
}

ScaleKind scale_kind(const Tensors& t) {
    return is_nested(t) ? ScaleKind::nested : ScaleKind::f32;
}

void values(const Tensors& t, float out[16]) {
    if (t.table.size != 0) {
        std::memcpy(out, t.table.data, 16 * sizeof(float));
    } else {
        for (int code = 0; code < 16; ++code) out[code] = table(code);
    }
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
    for (int64_t k = 0; k < t.in_features; ++k) {
        uint8_t& byte = destination[(first + k) >> 1];
        byte = static_cast<uint8_t>(((first + k) & 1) == 0 ? (byte & 0x0f) | codes[k] << 4 : (byte & 0xf0) | codes[k]);
    }
}

void* scale_at(const Tensors& t, int64_t group) {
    return static_cast<uint8_t*>(t.scales.data) + group * (is_nested(t) ? 1 : 4);
}

}  // namespace

const Format kFormat = {LK_FORMAT_BNB_NF4, "bitsandbytes NF4", check,   set_sizes, scale_kind, values,
                        read_codes,        write_codes,        scale_at};

}  // namespace lk::nf4
