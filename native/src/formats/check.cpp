#include "formats/check.h"

#include "core/enum_bits.h"
#include "formats/group_index.h"

namespace lk {
namespace {

void expect_zero(bool zero, const Format& format, const char* fields) {
    if (!zero) fail(LK_INVALID_ARGUMENT, "tensors.%s: %s has none, set 0", fields, format.name);
}

void check_scalars(const Format& format, const lk_weight_tensors& t) {
    if (!format.has_outer_scales) {
        expect_zero(t.outer_group_size == 0 && t.outer_offset == 0, format, "outer_group_size, outer_offset");
    }
    if (!format.has_tensor_scale) {
        expect_zero(t.tensor_scale == 0 && t.tensor_scale_divides == 0, format, "tensor_scale, tensor_scale_divides");
    }
    if (!format.has_scale_dtype) expect_zero(raw(t.scale_dtype) == 0, format, "scale_dtype");
    format.check(t);
}

void check_sizes(const Format& format, const lk_weight_tensors& t) {
    const TensorSizes sizes = format.sizes(t);
    for (const TensorMember& member : kTensorMembers) {
        const auto given = static_cast<long long>((t.*member.bytes).size);
        const auto needed = static_cast<long long>(sizes.*member.size);
        if (given == needed) continue;
        if (needed == 0) {
            fail(LK_INVALID_ARGUMENT, "tensors.%s.size: is %lld bytes; %s has none here, leave it empty", member.name,
                 given, format.name);
        }
        fail(LK_INVALID_ARGUMENT, "tensors.%s.size: is %lld bytes, the shape needs %lld", member.name, given, needed);
    }
}

}  // namespace

void check_description(const Format& format, const lk_weight_tensors& tensors) {
    check_scalars(format, tensors);
    check_sizes(format, tensors);
}

void check_contents(const Format& format, const lk_weight_tensors& tensors) {
    if (format.check_contents != nullptr) format.check_contents(tensors);
    if (tensors.group_index.size != 0) formats::check_group_index(tensors);
}

}  // namespace lk
