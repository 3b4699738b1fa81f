// bitsandbytes' signed dynamic 8-bit map, which double quantization uses for absmax.
// Tim Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2015; bitsandbytes create_dynamic_map.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

namespace lk::nf4 {

// For each of 7 decimal exponents, 2^i values are the midpoints of equal steps from 0.1 to 1, of both signs; 0 and 1
// complete the 256. fp32 in the producer's order.
inline std::array<float, 256> dynamic_map() {
    std::array<float, 256> map{};
    size_t count = 0;
    for (int i = 0; i < 7; ++i) {
        const int boundaries = (1 << i) + 1;
        const float step = (1.0f - 0.1f) / static_cast<float>(boundaries - 1);
        // Counted from both ends towards the middle, as torch.linspace does.
        const auto boundary = [&](int b) {
            return b < boundaries / 2 ? 0.1f + step * static_cast<float>(b)
                                      : 1.0f - step * static_cast<float>(boundaries - 1 - b);
        };
        const auto scale = static_cast<float>(std::pow(10.0, i - 6));
        for (int b = 0; b + 1 < boundaries; ++b) {
            const float mean = (boundary(b) + boundary(b + 1)) / 2.0f;
            map[count++] = scale * mean;
            map[count++] = -(scale * mean);
        }
    }
    map[count++] = 0.0f;
    map[count++] = 1.0f;
    std::sort(map.begin(), map.end());
    return map;
}

// The nearest entry; of two at the same distance the lower.
constexpr uint8_t nearest(const float* map, float value) {
    int above = 0;  // the first entry that is not below the value
    for (int step = 128; step > 0; step /= 2) {
        if (map[above + step - 1] < value) above += step;
    }
    if (map[above] < value) return 255;
    if (above == 0) return 0;
    return static_cast<uint8_t>(value - map[above - 1] <= map[above] - value ? above - 1 : above);
}

}  // namespace lk::nf4
