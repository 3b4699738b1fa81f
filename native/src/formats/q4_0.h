// GGUF Q4_0: blocks of 32 weights in 18 bytes, f16 d and 16 bytes of nibbles; W = d * (q - 8).
// Byte j holds element j in its low nibble and element j + 16 in its high nibble. (ggml, block_q4_0.)
#pragma once

#include <cstdint>

namespace lk::q4_0 {

inline constexpr int64_t kBlockWeights = 32;
inline constexpr int64_t kBlockBytes = 18;
inline constexpr int64_t kCodesOffset = 2;  // after d

constexpr float value(int code) {
    return static_cast<float>(code - 8);
}

}  // namespace lk::q4_0
