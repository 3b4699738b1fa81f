// What GGUF formats with blocks of 32 share: a header with the block's scale, then 16 bytes of nibbles; byte j holds
// element j in its low nibble and element j + 16 in its high one. (ggml, ggml-common.h.)
#pragma once

#include "formats/check.h"
#include "formats/format.h"

namespace lk::formats::gguf {

inline constexpr int64_t kBlockWeights = 32;
inline constexpr int64_t kCodeBytes = kBlockWeights / 2;

template <int64_t HeaderBytes>
struct Blocks {
    static constexpr int64_t kBytes = HeaderBytes + kCodeBytes;

    static void* at(const lk_weight_tensors& t, int64_t block) {
        return static_cast<uint8_t*>(t.codes.data) + block * kBytes;
    }

    static TensorSizes sizes(const lk_weight_tensors& t) {
        return {.codes = t.out_features * (t.in_features / kBlockWeights) * kBytes};
    }

    static void read_codes(const lk_weight_tensors& t, int64_t row, uint8_t* codes) {
        const int64_t blocks = t.in_features / kBlockWeights;
        for (int64_t b = 0; b < blocks; ++b, codes += kBlockWeights) {
            const uint8_t* nibbles = static_cast<const uint8_t*>(at(t, row * blocks + b)) + HeaderBytes;
            for (int64_t j = 0; j < kCodeBytes; ++j) {
                codes[j] = nibbles[j] & 15;
                codes[kCodeBytes + j] = nibbles[j] >> 4;
            }
        }
    }

    static void write_codes(const lk_weight_tensors& t, int64_t row, const uint8_t* codes) {
        const int64_t blocks = t.in_features / kBlockWeights;
        for (int64_t b = 0; b < blocks; ++b, codes += kBlockWeights) {
            uint8_t* nibbles = static_cast<uint8_t*>(at(t, row * blocks + b)) + HeaderBytes;
            for (int64_t j = 0; j < kCodeBytes; ++j) {
                nibbles[j] = static_cast<uint8_t>(codes[j] | codes[kCodeBytes + j] << 4);
            }
        }
    }
};

}  // namespace lk::formats::gguf
