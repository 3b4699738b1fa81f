// int4: a scale a group of a row, with a zero point or without.
#include "quantize/int4.h"

#include <algorithm>
#include <cmath>

#include "core/matrix.h"
#include "core/memory.h"
#include "formats/format.h"
#include "platform/cpu/thread_pool.h"
#include "quantize/first_bad.h"
#include "quantize/formats.h"

namespace lk::cpu {
namespace {

using quantizing::Path;
using quantizing::Range;

// A group's elements, at most kMostValues at a time. Most groups are no larger, and read once.
class Group {
  public:
    Group(const Path& path, const lk_matrix& w, int64_t row, int64_t first, int64_t count)
        : path_(path), dtype_(w.dtype), count_(count) {
        elements_ = static_cast<const char*>(w.data) + (row * w.row_stride + first) * size_of(w.dtype);
    }

    Range range() {
        Range all;
        for_each_part([&](int64_t, int64_t count) {
            const Range part = path_.range(values_, count);
            all.lowest = std::min(all.lowest, part.lowest);
            all.highest = std::max(all.highest, part.highest);
            all.finite = all.finite && part.finite;
        });
        return all;
    }

    void write_codes(float scale, float zero, uint8_t* bytes) {
        uint8_t codes[Path::kMostValues];
        for_each_part([&](int64_t first, int64_t count) {
            path_.round(values_, count, scale, zero, codes);
            path_.pack_low_first(codes, count, bytes + first / 2);
        });
    }

  private:
    // Calls f(first, count) for each part, while it is in values_.
    template <class F>
    void for_each_part(const F& f) {
        for (int64_t first = 0; first < count_; first += Path::kMostValues) {
            const int64_t count = std::min(Path::kMostValues, count_ - first);
            if (first != held_) {
                std::fill(values_ + count, values_ + round_up(count, Path::kLanes), 0.0f);
                path_.widen(elements_ + first * size_of(dtype_), dtype_, count, values_);
                held_ = first;
            }
            f(first, count);
        }
    }

    const Path& path_;
    const char* elements_;
    lk_dtype dtype_;
    int64_t count_;
    int64_t held_ = -1;  // the part that values_ hold
    float values_[Path::kMostValues];
};

// Rounded to its type, stored, and as it is stored; not finite where it is beyond the type.
float store_scale(float scale, const lk_weight_tensors& tensors, int64_t group) {
    return with_dtype(tensors.scale_dtype, [&]<class T>(T*) {
        T stored = from_float<T>(scale);
        if (to_float(stored) == 0) stored = from_float<T>(int4::epsilon(tensors.scale_dtype));
        static_cast<T*>(tensors.scales.data)[group] = stored;
        return to_float(stored);
    });
}

[[noreturn]] void fail_for_element(const lk_matrix& w, int64_t first, int64_t count) {
    for (int64_t index = first;; ++index) {
        const float value = read(w, index / w.columns, index % w.columns);
        if (!std::isfinite(value) || index + 1 == first + count) fail_not_finite(w, index, value);
    }
}

}  // namespace

void quantize_int4(const Path& path, const lk_matrix& w, lk_weight_tensors& tensors) {
    const bool symmetric = tensors.zero_points.size == 0;
    const int64_t groups = tensors.group_size == 0 ? 0 : divide_up(w.columns, tensors.group_size);
    const int64_t row_bytes = divide_up(w.columns, NibbleStorage::kWordNibbles) * NibbleStorage::kWordBytes;
    std::vector<uint8_t> zeros(static_cast<size_t>(symmetric ? 0 : w.rows * groups));
    FirstBad bad_element_group, bad_scale;
    ThreadPool::shared().parallel_for(w.rows, [&](int64_t row) {
        for (int64_t g = 0; g < groups; ++g) {
            const int64_t first = g * tensors.group_size;
            const int64_t index = row * groups + g;
            Group group(path, w, row, first, std::min(tensors.group_size, w.columns - first));
            const Range range = group.range();
            if (!range.finite) return bad_element_group.note(index);
            const float exact = symmetric ? int4::symmetric_scale(range.lowest, range.highest)
                                          : int4::asymmetric_scale(range.lowest, range.highest);
            const float scale = store_scale(exact, tensors, index);
            if (!std::isfinite(scale)) return bad_scale.note(index);
            const float zero = symmetric ? 0.0f : int4::zero(range.lowest, scale);
            if (!symmetric) zeros[size_t(index)] = static_cast<uint8_t>(int(zero) + 8);
            group.write_codes(scale, zero, static_cast<uint8_t*>(tensors.codes.data) + row * row_bytes + first / 2);
        }
    });
    if (bad_element_group.any()) {
        const int64_t first = bad_element_group.index() % groups * tensors.group_size;
        fail_for_element(w, bad_element_group.index() / groups * w.columns + first,
                         std::min(tensors.group_size, w.columns - first));
    }
    if (bad_scale.any()) fail_scale(tensors, bad_scale.index());
    write_zero_points(zeros, tensors);
}

void fail_scale(const lk_weight_tensors& tensors, int64_t group) {
    const int64_t groups = divide_up(tensors.in_features, tensors.group_size);
    const int64_t first = group % groups * tensors.group_size;
    fail(LK_INVALID_ARGUMENT, "w[%lld, %lld ... %lld]: their scale is beyond %s, options.scale_dtype",
         static_cast<long long>(group / groups), static_cast<long long>(first),
         static_cast<long long>(std::min(first + tensors.group_size, tensors.in_features) - 1),
         name_of(tensors.scale_dtype));
}

void write_zero_points(const std::vector<uint8_t>& zeros, lk_weight_tensors& tensors) {
    if (tensors.zero_points.size == 0) return;
    const NibbleStorage storage = find_format(tensors.format)->storage(tensors).zero_points;
    for (int64_t row = 0; row < tensors.out_features; ++row) {
        write_nibbles(storage, tensors.zero_points.data, row, storage.columns, zeros.data() + row * storage.columns);
    }
}

}  // namespace lk::cpu
