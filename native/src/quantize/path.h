// What an instruction set path computes by itself of quantization: loops over a group's values.
#pragma once

#include <cstdint>

#include "lorakernels.h"

namespace lk::cpu::quantizing {

// Of some values and 0.
struct Range {
    float lowest = 0;
    float highest = 0;
    bool finite = true;  // all of them
};

struct Path {
    // The most values of a call; buffers end at a multiple of kLanes, whose last values have no meaning.
    static constexpr int64_t kMostValues = 4096;
    static constexpr int64_t kLanes = 16;

    void (*widen)(const void* elements, lk_dtype dtype, int64_t count, float* values);
    Range (*range)(const float* values, int64_t count);
    // ranks[i] = how many of 15 thresholds are below values[i] * factor.
    void (*rank)(const float* values, int64_t count, float factor, const float* thresholds, uint8_t* ranks);
    // codes[i] = round(clamp(values[i] / scale + zero, -8, 7)) + 8, to nearest even.
    void (*round)(const float* values, int64_t count, float scale, float zero, uint8_t* codes);
    // Two codes to a byte, the first one in the high nibble, or in the low one; a last one alone has a 0 beside it.
    void (*pack_high_first)(const uint8_t* codes, int64_t count, uint8_t* bytes);
    void (*pack_low_first)(const uint8_t* codes, int64_t count, uint8_t* bytes);
};

extern const Path kPortablePath;
#if defined(__x86_64__)
extern const Path kAvx2Path;
extern const Path kAvx512Path;
extern const Path kAvx512VnniPath;
#endif

}  // namespace lk::cpu::quantizing
