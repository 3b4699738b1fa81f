// What MXFP4 and NVFP4 share: E2M1 codes, two to a byte, the even k in the low nibble, and a byte of scale per group.
// (OCP Microscaling Formats (MX) Specification 1.0, 5.3.3.)
#pragma once

#include <cmath>

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
    return {.codes = {.rows = t.out_features, .columns = t.in_features}, .units = {.stride = 1}};
}

// Throws for the first scale that is not allowed.
template <class Allowed>
void check_scales(const lk_weight_tensors& t, const UnitStorage& units, Allowed allowed, const char* rule) {
    const auto* bytes = static_cast<const uint8_t*>(units.among_codes ? t.codes.data : t.scales.data);
    const int64_t groups = t.in_features / t.group_size;
    for (int64_t i = 0; i < t.out_features * groups; ++i) {
        const uint8_t scale = bytes[units.offset(i, 1)];
        if (allowed(scale)) continue;
        fail(LK_INVALID_ARGUMENT, "tensors.%s[%lld, %lld]: is 0x%02x, %s",
             units.among_codes ? "codes, scale " : "scales", static_cast<long long>(i / groups),
             static_cast<long long>(i % groups), scale, rule);
    }
}

inline void check_tensor_scale(const lk_weight_tensors& t, const char* format) {
    if (!std::isfinite(t.tensor_scale) || t.tensor_scale <= 0) {
        fail(LK_INVALID_ARGUMENT, "tensors.tensor_scale: is %g; %s has a finite one above 0", double(t.tensor_scale),
             format);
    }
}

// 0 ... 448, for check_scales.
constexpr bool is_finite_e4m3(uint8_t scale) {
    return scale < 0x7f;
}
inline constexpr char kFiniteE4m3[] = "negative or a NaN in E4M3; NVFP4 has finite scales from 0 on";

}  // namespace lk::formats::e2m1
