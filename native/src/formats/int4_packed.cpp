// compressed-tensors pack-quantized: W[n, k] = (q - z) * scale[n, g]. Codes and zero points are stored plus 8; z is 8
// where there are no zero points. Codes are packed along k, zero points along n, eight to a 32-bit word from its lowest
// bits on. g is k / group_size, or with act-order the group index's.
#include <algorithm>

#include "core/dtype.h"
#include "core/enum_bits.h"
#include "core/error.h"
#include "core/memory.h"
#include "formats/format.h"

namespace lk::formats {
namespace {

using Tensors = lk_weight_tensors;

constexpr int64_t kWordBytes = 4;
constexpr int64_t kWordCodes = 8;
constexpr int64_t kLargestGroup = int64_t{1} << 31;

int64_t words_of_row(const Tensors& t) {
    return divide_up(t.in_features, kWordCodes);
}
int64_t groups_of_row(const Tensors& t) {
    return divide_up(t.in_features, t.group_size);
}
bool has_zero_points(const Tensors& t) {
    return t.zero_points.size != 0;
}

// Nibble i of a word; little-endian words are bytes with the even nibble low.
uint8_t nibble_at(const void* word, int64_t i) {
    const uint8_t byte = static_cast<const uint8_t*>(word)[i / 2];
    return static_cast<uint8_t>(i % 2 == 0 ? byte & 15 : byte >> 4);
}
void set_nibble(void* word, int64_t i, uint8_t value) {
    uint8_t& byte = static_cast<uint8_t*>(word)[i / 2];
    byte = static_cast<uint8_t>(i % 2 == 0 ? (byte & 0xf0) | value : (byte & 0x0f) | value << 4);
}

void* codes_of_row(const Tensors& t, int64_t row) {
    return static_cast<uint8_t*>(t.codes.data) + row * words_of_row(t) * kWordBytes;
}
void* zero_points_word(const Tensors& t, int64_t row, int64_t group) {
    return static_cast<uint8_t*>(t.zero_points.data) + (row / kWordCodes * groups_of_row(t) + group) * kWordBytes;
}

void check(const Tensors& t) {
    const bool whole_rows = t.group_size == t.in_features && t.group_size > 0;
    if (!whole_rows && (t.group_size < 32 || t.group_size > kLargestGroup || t.group_size % 32 != 0)) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; allowed are multiples of 32, and in_features (%lld)",
             static_cast<long long>(t.group_size), static_cast<long long>(t.in_features));
    }
    if (!is_dtype(raw(t.scale_dtype))) {
        fail(LK_INVALID_ARGUMENT, "tensors.scale_dtype: is %d; allowed are f32 (0), f16 (1), bf16 (2)",
             raw(t.scale_dtype));
    }
}

TensorSizes sizes(const Tensors& t) {
    TensorSizes sizes{.codes = t.out_features * words_of_row(t) * kWordBytes,
                      .scales = t.out_features * groups_of_row(t) * size_of(t.scale_dtype)};
    if (has_zero_points(t)) {
        sizes.zero_points = divide_up(t.out_features, kWordCodes) * groups_of_row(t) * kWordBytes;
    }
    if (t.group_index.size != 0) sizes.group_index = t.in_features * int64_t(sizeof(int32_t));
    return sizes;
}

Codec codec(const Tensors& t) {
    const ScaleKind scale_kind = t.scale_dtype == LK_DTYPE_F32   ? ScaleKind::f32
                                 : t.scale_dtype == LK_DTYPE_F16 ? ScaleKind::f16
                                                                 : ScaleKind::bf16;
    return affine({.scale_kind = scale_kind,
                   .offset_kind = has_zero_points(t) ? OffsetKind::zero_point : OffsetKind::none,
                   .affine_zero = has_zero_points(t) ? 0 : 8,
                   .group_size = t.group_size});
}

Storage storage(const Tensors& t) {
    return {.codes = {.row_weights = words_of_row(t) * kWordCodes}, .unit_stride = size_of(t.scale_dtype)};
}

void read_zero_points(const Tensors& t, int64_t row, uint8_t* zero_points) {
    for (int64_t group = 0; group < groups_of_row(t); ++group) {
        zero_points[group] = nibble_at(zero_points_word(t, row, group), row % kWordCodes);
    }
}

void write_zero_points(const Tensors& t, int64_t row, const uint8_t* zero_points) {
    for (int64_t group = 0; group < groups_of_row(t); ++group) {
        set_nibble(zero_points_word(t, row, group), row % kWordCodes, zero_points[group]);
    }
}

// Calls visit(word, nibble) for the nibbles behind the end of rows, and of columns of zero points.
template <class Visit>
void for_each_padding(const Tensors& t, Visit visit) {
    for (int64_t row = 0; row < t.out_features && t.in_features % kWordCodes != 0; ++row) {
        for (int64_t k = t.in_features; k < words_of_row(t) * kWordCodes; ++k) visit(codes_of_row(t, row), k);
    }
    if (!has_zero_points(t)) return;
    for (int64_t row = t.out_features; row % kWordCodes != 0; ++row) {
        for (int64_t group = 0; group < groups_of_row(t); ++group) {
            visit(zero_points_word(t, row, group), row % kWordCodes);
        }
    }
}

// Empty where all of it is 0, as usual.
std::vector<uint8_t> read_padding(const Tensors& t) {
    std::vector<uint8_t> padding;
    for_each_padding(t, [&](const void* word, int64_t i) { padding.push_back(nibble_at(word, i)); });
    if (std::all_of(padding.begin(), padding.end(), [](uint8_t nibble) { return nibble == 0; })) return {};
    return padding;
}

void write_padding(const Tensors& t, const std::vector<uint8_t>& padding) {
    auto next = padding.begin();
    for_each_padding(t, [&](void* word, int64_t i) { set_nibble(word, i, padding.empty() ? uint8_t{0} : *next++); });
}

}  // namespace

extern const Format kInt4Packed = {.id = LK_FORMAT_INT4_PACKED,
                                   .name = "compressed-tensors pack-quantized",
                                   .has_scale_dtype = true,
                                   .check = check,
                                   .sizes = sizes,
                                   .codec = codec,
                                   .storage = storage,
                                   .read_zero_points = read_zero_points,
                                   .write_zero_points = write_zero_points,
                                   .read_padding = read_padding,
                                   .write_padding = write_padding};

}  // namespace lk::formats
