#include "quantize/quantize.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/matrix.h"
#include "core/memory.h"
#include "formats/dynamic_map.h"
#include "formats/nf4.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu {
namespace {

constexpr int64_t kLargestGroup = 4096;

// Elements [first, first + count) of w in flat order.
void read_flat(const lk_matrix& w, int64_t first, int64_t count, float* out) {
    while (count > 0) {
        const int64_t column = first % w.columns;
        const int64_t run = std::min(count, w.columns - column);
        read_row(w, first / w.columns, column, run, out);
        first += run;
        count -= run;
        out += run;
    }
}

float absmax_of(const float* values, int64_t count) {
    float largest = 0;
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
    return largest;
}

// Codes of one group. bitsandbytes multiplies by the reciprocal; a group of zeros has none.
void encode_group(const float* values, int64_t count, float absmax, uint8_t* bytes) {
    const float reciprocal = absmax == 0 ? 0.0f : 1.0f / absmax;
    for (int64_t i = 0; i < count; i += 2) {
        const uint8_t high = values[i] == 0 ? nf4::kZeroCode : nf4::encode(values[i] * reciprocal);
        const bool has_low = i + 1 < count && values[i + 1] != 0;
        const uint8_t low = has_low ? nf4::encode(values[i + 1] * reciprocal) : nf4::kZeroCode;
        bytes[i / 2] = static_cast<uint8_t>(high << 4 | low);
    }
}

// In the order in which a GPU's kernel does it: kSumLanes sums, then these by halves.
double sum_of(const std::vector<float>& values) {
    double sums[kSumLanes] = {};
    for (size_t i = 0; i < values.size(); ++i) sums[i % kSumLanes] += double(values[i]);
    for (int half = kSumLanes / 2; half > 0; half /= 2) {
        for (int lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
    }
    return sums[0];
}

// Double quantization of absmax: the mean is taken off, the rest goes through the dynamic map in groups.
void quantize_scales(const std::vector<float>& absmax, lk_weight_tensors& tensors) {
    static const std::array<float, 256> map = nf4::dynamic_map();
    const auto offset = absmax.empty() ? 0.0f : static_cast<float>(sum_of(absmax) / double(absmax.size()));
    tensors.outer_offset = offset;
    std::memcpy(tensors.outer_table.data, map.data(), sizeof map);

    auto* codes = static_cast<uint8_t*>(tensors.scales.data);
    const auto groups = int64_t(absmax.size());
    std::vector<float> centred(size_t(tensors.outer_group_size));
    for (int64_t first = 0, outer = 0; first < groups; first += tensors.outer_group_size, ++outer) {
        const int64_t count = std::min(tensors.outer_group_size, groups - first);
        for (int64_t i = 0; i < count; ++i) centred[size_t(i)] = absmax[size_t(first + i)] - offset;
        const float largest = absmax_of(centred.data(), count);
        const float reciprocal = largest == 0 ? 0.0f : 1.0f / largest;
        std::memcpy(static_cast<char*>(tensors.outer_scales.data) + outer * 4, &largest, sizeof largest);
        for (int64_t i = 0; i < count; ++i)
            codes[first + i] = nf4::nearest(map.data(), centred[size_t(i)] * reciprocal);
    }
}

}  // namespace

void write_scales(const std::vector<float>& absmax, lk_weight_tensors& tensors) {
    if (tensors.outer_group_size != 0) {
        quantize_scales(absmax, tensors);
    } else if (!absmax.empty()) {
        std::memcpy(tensors.scales.data, absmax.data(), absmax.size() * sizeof(float));
    }
}

void fail_not_finite(const lk_matrix& w, int64_t index, float value) {
    fail(LK_INVALID_ARGUMENT, "w[%lld, %lld]: is %g; only finite weights can be quantized",
         static_cast<long long>(index / w.columns), static_cast<long long>(index % w.columns), double(value));
}

void quantize(const lk_matrix& w, lk_weight_tensors& tensors) {
    const int64_t weights = w.rows * w.columns;
    const int64_t groups = divide_up(weights, tensors.group_size);
    std::vector<float> absmax(static_cast<size_t>(groups));
    std::atomic<int64_t> first_bad{weights};
    ThreadPool::shared().parallel_for(groups, [&](int64_t group) {
        float values[kLargestGroup];
        const int64_t first = group * tensors.group_size;
        const int64_t count = std::min(tensors.group_size, weights - first);
        read_flat(w, first, count, values);
        for (int64_t i = 0; i < count; ++i) {
            if (std::isfinite(values[i])) continue;
            int64_t known = first_bad.load();
            while (first + i < known && !first_bad.compare_exchange_weak(known, first + i)) {
            }
            return;
        }
        absmax[size_t(group)] = absmax_of(values, count);
        encode_group(values, count, absmax[size_t(group)], static_cast<uint8_t*>(tensors.codes.data) + first / 2);
    });
    if (first_bad < weights) {
        float value = 0;
        read_flat(w, first_bad, 1, &value);
        fail_not_finite(w, first_bad, value);
    }
    write_scales(absmax, tensors);
}

}  // namespace lk::cpu
