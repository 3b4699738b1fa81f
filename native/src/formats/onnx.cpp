// ONNX Runtime's MatMulNBits with 4 bits: W[n, k] = (q - z) * scale[n, g], g = k / group_size, or the group index's
// (g_idx). Rows of codes are padded to whole groups, rows of zero points to whole bytes, the first of two in the low
// nibble. z is 8 without zero points, and may also be a number of the scales' type. (com.microsoft.MatMulNBits.)
#include <bit>

#include "core/dtype.h"
#include "core/error.h"
#include "core/memory.h"
#include "formats/integer.h"

namespace lk::formats {
namespace {

using Tensors = lk_weight_tensors;

constexpr int64_t kSmallestGroup = 16;
constexpr int64_t kLargestGroup = int64_t{1} << 30;

// The two kinds differ in size.
bool has_float_zeros(const Tensors& t) {
    return t.zero_points.size != 0 &&
           t.zero_points.size == t.out_features * integer::groups_of_row(t) * size_of(t.scale_dtype);
}

void check(const Tensors& t) {
    if (t.group_size < kSmallestGroup || t.group_size > kLargestGroup || !std::has_single_bit(uint64_t(t.group_size))) {
        fail(LK_INVALID_ARGUMENT, "tensors.group_size: is %lld; MatMulNBits has powers of two from 16 on",
             static_cast<long long>(t.group_size));
    }
    integer::check_scale_dtype(t);
}

TensorSizes sizes(const Tensors& t) {
    const int64_t groups = integer::groups_of_row(t);
    TensorSizes sizes = integer::sizes(t);
    sizes.codes = t.out_features * groups * (t.group_size / 2);
    if (has_float_zeros(t)) {
        sizes.zero_points = sizes.scales;
    } else if (t.zero_points.size != 0) {
        sizes.zero_points = t.out_features * divide_up(groups, 2);
    }
    return sizes;
}

Codec codec(const Tensors& t) {
    if (t.zero_points.size == 0) return integer::symmetric(t);
    return has_float_zeros(t) ? integer::with_float_zeros(t) : integer::with_zero_points(t, 0);
}

Storage storage(const Tensors& t) {
    const int64_t groups = integer::groups_of_row(t);
    return {.codes = {.rows = t.out_features, .columns = groups * t.group_size},
            .zero_points = {.rows = t.out_features, .columns = round_up(groups, 2)},
            .units = {.stride = size_of(t.scale_dtype)}};
}

}  // namespace

extern const Format kOnnx = {.id = LK_FORMAT_ONNX_NBITS,
                             .name = "ONNX MatMulNBits",
                             .has_scale_dtype = true,
                             .check = check,
                             .sizes = sizes,
                             .codec = codec,
                             .storage = storage};

}  // namespace lk::formats
