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

Storage storage(const Tensors& t) {
    return {.codes = {.rows = t.out_features, .columns = t.in_features, .high_first = true},
            .units = {.stride = is_nested(t) ? 1 : 4}};
}

}  // namespace lk::formats::bitsandbytes
