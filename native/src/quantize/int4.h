// The rule by which groups of int4 get their scale and zero point: that of compressed-tensors' calculate_qparams, in
// fp32, for hosts and kernels. lowest <= 0 <= highest.
#pragma once

#include "lorakernels.h"

namespace lk::int4 {

constexpr float symmetric_scale(float lowest, float highest) {
    return (-lowest > highest ? -lowest : highest) / 7.5f;
}
constexpr float asymmetric_scale(float lowest, float highest) {
    return (highest - lowest) / 15.0f;
}

// What a scale of 0 becomes.
constexpr float epsilon(lk_dtype dtype) {
    return dtype == LK_DTYPE_F32 ? 0x1p-23f : dtype == LK_DTYPE_F16 ? 0x1p-10f : 0x1p-7f;
}

// -8 ... 7; stored plus 8.
constexpr float zero(float lowest, float scale) {
    constexpr float integers = 0x1.8p23f;  // what is added to it is rounded to nearest even
    const float zero = -8.0f - lowest / scale;
    return (zero < 7.0f ? zero : 7.0f) + integers - integers;
}

}  // namespace lk::int4
