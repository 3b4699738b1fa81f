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

inline void read_codes(const lk_weight_tensors& t, int64_t row, uint8_t* codes) {
    const auto* bytes = static_cast<const uint8_t*>(t.codes.data) + row * (t.in_features / 2);
    for (int64_t k = 0; k < t.in_features; k += 2) {
        const uint8_t pair = bytes[k / 2];
        codes[k] = pair & 15;
        codes[k + 1] = pair >> 4;
    }
}

inline void write_codes(const lk_weight_tensors& t, int64_t row, const uint8_t* codes) {
    auto* bytes = static_cast<uint8_t*>(t.codes.data) + row * (t.in_features / 2);
    for (int64_t k = 0; k < t.in_features; k += 2) bytes[k / 2] = static_cast<uint8_t>(codes[k] | codes[k + 1] << 4);
}

inline void* unit_at(const lk_weight_tensors& t, int64_t unit) {
    return static_cast<uint8_t*>(t.scales.data) + unit;
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
