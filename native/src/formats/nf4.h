// The values of bitsandbytes NF4; bitsandbytes.h has the rest of the format.
// Tim Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, appendix E.
#pragma once

#include <bit>
#include <cstdint>

namespace lk::nf4 {

// fp32 bits of the map that bitsandbytes writes as `quant_map`.
inline constexpr uint32_t kTableBits[16] = {
    0xbf800000, 0xbf3239b1, 0xbf066b30, 0xbeca32a0, 0xbe91a24d, 0xbe3d353f, 0xbdba7871, 0x00000000,
    0x3da2faff, 0x3e24cae3, 0x3e7c04dd, 0x3ead033a, 0x3ee1a4b8, 0x3f1007ab, 0x3f3913b3, 0x3f800000,
};

constexpr float table(int code) {
    return std::bit_cast<float>(kTableBits[code]);
}

// Where the nearest table entry changes: code c holds for threshold(c - 1) < x <= threshold(c).
inline constexpr int kThresholds = 15;
constexpr float threshold(int code) {
    constexpr float thresholds[kThresholds] = {
        -0.8480964004993439f,  -0.6106329262256622f,  -0.4599952697753906f,   -0.33967943489551544f,
        -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
        0.1202552504837513f,   0.2035212516784668f,   0.2920137718319893f,    0.3893125355243683f,
        0.5016634166240692f,   0.6427869200706482f,   0.8614784178118011f,
    };
    return thresholds[code];
}

}  // namespace lk::nf4
