// Quantization to a table of 16 levels by bitsandbytes' rules: where one code ends and the next one begins.
#pragma once

#include <bit>
#include <cstdint>

#include "formats/nf4.h"

namespace lk {

// Levels in ascending order. A value's rank is the number of thresholds below it; a value on a threshold is below.
struct Levels {
    static constexpr int kThresholds = 15;

    float thresholds[kThresholds];
    uint8_t codes[kThresholds + 1];  // of each rank

    constexpr uint8_t rank(float value) const {
        uint8_t rank = 0;
        for (const float threshold : thresholds) rank = static_cast<uint8_t>(rank + (value > threshold ? 1 : 0));
        return rank;
    }
    constexpr uint8_t code(float value) const { return codes[rank(value)]; }
};

namespace nf4 {

constexpr Levels levels() {
    Levels levels{};
    for (int i = 0; i < Levels::kThresholds; ++i) levels.thresholds[i] = threshold(i);
    for (uint8_t i = 0; i < 16; ++i) levels.codes[i] = i;
    return levels;
}

}  // namespace nf4

// Signs and magnitudes are quantized apart, so that a negative value on the border of two magnitudes takes the smaller
// one, as a positive one does.
namespace fp4 {

// Where the nearest magnitude changes: rank r holds for threshold(r - 1) < |x| <= threshold(r).
inline constexpr int kThresholds = 7;
constexpr float threshold(int rank) {
    constexpr float thresholds[kThresholds] = {0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f,
                                               0.4166667f,  0.583333f,  0.8333333f};
    return thresholds[rank];
}

// The code of a magnitude's rank; bit 3 is the sign.
constexpr uint32_t magnitude_code(uint32_t rank) {
    constexpr uint32_t codes = 0x32547610;
    return codes >> (rank * 4) & 7;
}

constexpr Levels levels() {
    Levels levels{};
    for (int i = 0; i < kThresholds; ++i) {
        // The next float below, so that the border itself is above.
        levels.thresholds[kThresholds - 1 - i] = std::bit_cast<float>(std::bit_cast<uint32_t>(-threshold(i)) + 1);
        levels.thresholds[kThresholds + 1 + i] = threshold(i);
    }
    levels.thresholds[kThresholds] = -0x1p-149f;  // zeros of both signs are positive
    for (uint32_t rank = 0; rank < 8; ++rank) {
        levels.codes[7 - rank] = static_cast<uint8_t>(magnitude_code(rank) | 8);
        levels.codes[8 + rank] = static_cast<uint8_t>(magnitude_code(rank));
    }
    return levels;
}

}  // namespace fp4
}  // namespace lk
