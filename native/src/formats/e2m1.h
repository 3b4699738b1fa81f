// What MXFP4 and NVFP4 share: E2M1 codes, two to a byte, the even k in the low nibble, and a byte of scale per group.
// (OCP Microscaling Formats (MX) Specification 1.0, 5.3.3.)
#pragma once

#include "core/error.h"
#include "formats/format.h"

namespace lk::formats::e2m1 {

inline constexpr float kMagnitudes[8] = {0.0f, 0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f, 6.0f};

// The codec with the values of E2M1.
constexpr Codec codec(Codec codec) {
    codec.value_kind = ValueKind::e2m1;
    for (int code = 0; code < 16; ++code) codec.values[code] = code < 8 ? kMagnitudes[code] : -kMagnitudes[code - 8];
    return codec;
}

inline TensorSizes sizes(const lk_weight_tensors& t) {
    return {.codes = t.out_features * (t.in_features / 2), .scales = t.out_features * (t.in_features / t.group_size)};
}

inline Storage storage(const lk_weight_tensors& t) {
    return {.codes = {.row_weights = t.in_features}, .unit_stride = 1};
}

// Throws for the first scale that is not allowed.
template <class Allowed>
void check_scales(const lk_weight_tensors& t, Allowed allowed, const char* rule) {
    for (int64_t i = 0; i < t.scales.size; ++i) {
        const uint8_t scale = static_cast<const uint8_t*>(t.scales.data)[i];
        if (allowed(scale)) continue;
        const int64_t groups = t.in_features / t.group_size;
        fail(LK_INVALID_ARGUMENT, "tensors.scales[%lld, %lld]: is 0x%02x, %s", static_cast<long long>(i / groups),
             static_cast<long long>(i % groups), scale, rule);
    }
}

}  // namespace lk::formats::e2m1
