// compressed-tensors pack-quantized: W[n, k] = (q - z) * scale[n, g]. Codes and zero points are stored plus 8; z is 8
// where there are no zero points. Codes are packed along k, zero points along n, eight to a 32-bit word from its lowest
// bits on. g is k / group_size, or with act-order the group index's.
#include "core/dtype.h"
#include "core/memory.h"
#include "formats/integer.h"

namespace lk::formats {
namespace {

using Tensors = lk_weight_tensors;

constexpr int64_t kWordBytes = NibbleStorage::kWordBytes;
constexpr int64_t kWordCodes = NibbleStorage::kWordNibbles;

bool has_zero_points(const Tensors& t) {
    return t.zero_points.size != 0;
}

void check(const Tensors& t) {
    integer::check_group_size(t, 32);
    integer::check_scale_dtype(t);
}

TensorSizes sizes(const Tensors& t) {
    TensorSizes sizes = integer::sizes(t);
    sizes.codes = t.out_features * divide_up(t.in_features, kWordCodes) * kWordBytes;
    if (has_zero_points(t)) {
        sizes.zero_points = divide_up(t.out_features, kWordCodes) * integer::groups_of_row(t) * kWordBytes;
    }
    return sizes;
}

Codec codec(const Tensors& t) {
    return has_zero_points(t) ? integer::with_zero_points(t, 0) : integer::symmetric(t);
}

Storage storage(const Tensors& t) {
    return {.codes = {.rows = t.out_features, .columns = round_up(t.in_features, kWordCodes)},
            .zero_points = {.order = NibbleOrder::row_words_by_row,
                            .rows = round_up(t.out_features, kWordCodes),
                            .columns = integer::groups_of_row(t)},
            .units = {.stride = size_of(t.scale_dtype)}};
}

}  // namespace

extern const Format kInt4Packed = {.id = LK_FORMAT_INT4_PACKED,
                                   .name = "compressed-tensors pack-quantized",
                                   .has_scale_dtype = true,
                                   .check = check,
                                   .sizes = sizes,
                                   .codec = codec,
                                   .storage = storage};

}  // namespace lk::formats
