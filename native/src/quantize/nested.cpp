// Double quantization of absmax.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/memory.h"
#include "formats/dynamic_map.h"
#include "platform/cpu/thread_pool.h"
#include "quantize/quantize.h"

namespace lk::cpu {
namespace {

// In the order in which a GPU's kernel does it: kSumLanes sums, then these by halves.
double sum_of(const std::vector<float>& values) {
    double sums[kSumLanes] = {};
    for (size_t i = 0; i < values.size(); ++i) sums[i % kSumLanes] += double(values[i]);
    for (int half = kSumLanes / 2; half > 0; half /= 2) {
        for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    }
    return sums[0];
}

// The mean is taken off, the rest goes through the dynamic map in groups.
void quantize_scales(const std::vector<float>& absmax, lk_weight_tensors& tensors) {
    static const std::array<float, 256> map = nf4::dynamic_map();
    const auto offset = absmax.empty() ? 0.0f : static_cast<float>(sum_of(absmax) / double(absmax.size()));
    tensors.outer_offset = offset;
    std::memcpy(tensors.outer_table.data, map.data(), sizeof map);

    auto* const codes = static_cast<uint8_t*>(tensors.scales.data);
    auto* const outer_scales = static_cast<float*>(tensors.outer_scales.data);
    const auto groups = int64_t(absmax.size());
    ThreadPool::shared().parallel_for(divide_up(groups, tensors.outer_group_size), [&](int64_t outer) {
        const int64_t first = outer * tensors.outer_group_size;
        const int64_t end = std::min(first + tensors.outer_group_size, groups);
        float largest = 0;
        for (int64_t i = first; i < end; ++i) largest = std::max(largest, std::fabs(absmax[size_t(i)] - offset));
        const float reciprocal = largest == 0 ? 0.0f : 1.0f / largest;
        outer_scales[outer] = largest;
        for (int64_t i = first; i < end; ++i) {
            codes[i] = nf4::nearest(map.data(), (absmax[size_t(i)] - offset) * reciprocal);
        }
    });
}

}  // namespace

void write_scales(const std::vector<float>& absmax, lk_weight_tensors& tensors) {
    if (tensors.outer_group_size != 0) {
        quantize_scales(absmax, tensors);
    } else if (!absmax.empty()) {
        std::memcpy(tensors.scales.data, absmax.data(), absmax.size() * sizeof(float));
    }
}

}  // namespace lk::cpu
