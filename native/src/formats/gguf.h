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

    static TensorSizes sizes(const lk_weight_tensors& t) {
        return {.codes = t.out_features * (t.in_features / kBlockWeights) * kBytes};
    }

    static Storage storage(const lk_weight_tensors& t) {
        return {.codes = {.rows = t.out_features,
                          .columns = t.in_features,
                          .block_shift = 5,
                          .block_bytes = kBytes,
                          .first_byte = HeaderBytes,
                          .half_shift = 4},
                .units = {.among_codes = true, .stride = kBytes}};
    }
};

}  // namespace lk::formats::gguf
