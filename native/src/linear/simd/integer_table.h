// A format's 16 values as bytes, for integer dot products: value = (byte - zero) * unit. Bytes are unsigned where one
// instruction multiplies any of those; otherwise a table's are signed and zero is 0.
#pragma once

#include "formats/format.h"
#include "platform/cpu/simd.h"

namespace lk::cpu {
namespace {

// What is taken from values whose codes have zero points or minimums: products of codes around 0 cancel less.
inline float center_of(const Codec& codec) {
    return codec.offset_kind == OffsetKind::none ? 0.0f : 8.0f;
}

struct IntegerTable {
    alignas(16) uint8_t bytes[16];
    int zero;
    float unit;
    bool exact;     // no value is rounded
    bool is_codes;  // byte = code: nothing to look up

    explicit IntegerTable(const Codec& codec) : is_codes(codec.value_kind == ValueKind::affine) {
        const float center = center_of(codec);
        float largest = 0;
        for (const float value : codec.values) {
            const float magnitude = value < center ? center - value : value - center;
            largest = magnitude > largest ? magnitude : largest;
        }
        exact = true;
        unit = 1;
        if (!multiples_of(unit, codec, center)) unit = 0.5f;
        if (!multiples_of(unit, codec, center) || largest > 127 * unit) {
            exact = false;
            unit = largest / 127;
        }
        zero = is_codes ? int(center - codec.values[0]) : kHasDotInstruction ? rounded(largest / unit) : 0;
        for (int code = 0; code < 16; ++code) {
            bytes[code] = uint8_t(zero + rounded((codec.values[code] - center) / unit));
        }
    }

  private:
    static int rounded(float value) { return int(value < 0 ? value - 0.5f : value + 0.5f); }
    static bool multiples_of(float unit, const Codec& codec, float center) {
        for (const float value : codec.values) {
            const float quotient = (value - center) / unit;
            if (float(int(quotient)) != quotient) return false;
        }
        return true;
    }
};

}  // namespace
}  // namespace lk::cpu
