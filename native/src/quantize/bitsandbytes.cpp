// NF4 and FP4: absmax per group of the flat index, then the level nearest to the value times its reciprocal.
#include <algorithm>
#include <cmath>

#include "core/matrix.h"
#include "core/memory.h"
#include "platform/cpu/thread_pool.h"
#include "quantize/first_bad.h"
#include "quantize/formats.h"

namespace lk::cpu {
namespace {

using quantizing::Path;

// Whole groups: the format's largest has as many.
constexpr int64_t kChunk = Path::kMostValues;

// Elements [first, first + count) of w in flat order, and zeros up to a whole number of lanes.
void read_flat(const Path& path, const lk_matrix& w, int64_t first, int64_t count, float* values) {
    std::fill(values + count, values + round_up(count, Path::kLanes), 0.0f);
    while (count > 0) {
        const int64_t column = first % w.columns;
        const int64_t run = std::min(count, w.columns - column);
        const auto* row = static_cast<const char*>(w.data) + first / w.columns * w.row_stride * size_of(w.dtype);
        path.widen(row + column * size_of(w.dtype), w.dtype, run, values);
        first += run;
        count -= run;
        values += run;
    }
}

// The ranks of a group. bitsandbytes multiplies by the reciprocal, and that of a subnormal can be infinite.
void rank_group(const Path& path, const Levels& levels, float* values, int64_t count, float absmax, uint8_t* ranks) {
    float factor = absmax == 0 ? 0.0f : 1.0f / absmax;
    if (std::isinf(factor)) {
        for (int64_t i = 0; i < count; ++i) values[i] = values[i] > 0 ? 1.0f : values[i] < 0 ? -1.0f : 0.0f;
        factor = 1;
    }
    path.rank(values, count, factor, levels.thresholds, ranks);
}

}  // namespace

void quantize_bitsandbytes(const Path& path, const lk_matrix& w, lk_weight_tensors& tensors) {
    const Levels& levels = levels_of(tensors.format);
    const bool ranks_are_codes = tensors.format == LK_FORMAT_BNB_NF4;
    const int64_t weights = w.rows * w.columns;
    std::vector<float> absmax(static_cast<size_t>(divide_up(weights, tensors.group_size)));
    FirstBad bad;
    ThreadPool::shared().parallel_for(divide_up(weights, kChunk), [&](int64_t chunk) {
        float values[kChunk];
        uint8_t codes[kChunk];
        const int64_t first = chunk * kChunk;
        const int64_t count = std::min(kChunk, weights - first);
        read_flat(path, w, first, count, values);
        for (int64_t begin = 0; begin < count; begin += tensors.group_size) {
            const int64_t size = std::min(tensors.group_size, count - begin);
            const quantizing::Range range = path.range(values + begin, size);
            if (!range.finite) {
                const float* found =
                    std::find_if_not(values + begin, values + count, [](float value) { return std::isfinite(value); });
                return bad.note(first + (found - values));
            }
            const float largest = std::max(std::fabs(range.lowest), range.highest);
            absmax[size_t((first + begin) / tensors.group_size)] = largest;
            rank_group(path, levels, values + begin, size, largest, codes + begin);
        }
        if (!ranks_are_codes) {
            std::transform(codes, codes + count, codes, [&](uint8_t rank) { return levels.codes[rank]; });
        }
        auto* const bytes = static_cast<uint8_t*>(tensors.codes.data) + first / 2;
        path.pack_high_first(codes, count, bytes);
        if (count % 2 != 0) bytes[count / 2] = static_cast<uint8_t>(bytes[count / 2] | levels.code(0));
    });
    if (bad.any()) fail_not_finite(w, bad.index(), read(w, bad.index() / w.columns, bad.index() % w.columns));
    write_scales(absmax, tensors);
}

}  // namespace lk::cpu
