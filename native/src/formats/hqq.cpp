// HQQ with groups along k (axis 1): W = (q - zero) * scale, a number each per group. The weight is seen as a matrix of
// groups, [N * K / group_size, group_size]; byte i of the codes holds number i of its upper half in the high nibble and
// number i of its lower half in the low one.
#include "core/dtype.h"
#include "core/error.h"
#include "formats/integer.h"

namespace lk::formats {
namespace {

using Tensors = lk_weight_tensors;

void check(const Tensors& t) {
    integer::check_group_size(t, 8);
    integer::check_scale_dtype(t);
    if (t.in_features % t.group_size != 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.in_features: is %lld; HQQ has multiples of group_size (%lld)",
             static_cast<long long>(t.in_features), static_cast<long long>(t.group_size));
    }
    const int64_t groups = t.out_features * integer::groups_of_row(t);
    if (groups % 2 != 0) {
        fail(LK_INVALID_ARGUMENT, "tensors: have %lld groups; HQQ packs an even number of them",
             static_cast<long long>(groups));
    }
}

TensorSizes sizes(const Tensors& t) {
    TensorSizes sizes = integer::sizes(t);
    sizes.group_index = 0;
    sizes.codes = t.out_features * t.in_features / 2;
    sizes.zero_points = sizes.scales;
    return sizes;
}

Storage storage(const Tensors& t) {
    return {.codes = {.order = NibbleOrder::halves, .rows = t.out_features, .columns = t.in_features},
            .units = {.stride = size_of(t.scale_dtype)}};
}

}  // namespace

extern const Format kHqq = {.id = LK_FORMAT_HQQ,
                            .name = "HQQ",
                            .has_scale_dtype = true,
                            .check = check,
                            .sizes = sizes,
                            .codec = integer::with_float_zeros,
                            .storage = storage};

}  // namespace lk::formats
