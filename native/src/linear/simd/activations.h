// Rows of x as the vector paths read them: blocks of 1, 2, 4 ... rows interleaved, so that a kernel walks one pointer.
//
// fp32     for each span: the rows' sums of x; then for each k the rows' x.
// digits   for each span: the rows' scales and sums, and where their integer sums start (which makes unsigned bytes of
// W
//          signed ones); then for each four k the rows' bytes, one 32-bit word for each digit.
//
// A digit is a signed byte. One digit is the int8 mode: x to the nearest of 255 steps of its span's largest magnitude.
// Three digits, d0 * 65536 + d1 * 256 + d2, keep 23 bits of it: as good as fp32. Magnitudes below 2^-126 count as 0.
#pragma once

#include <cstring>

#include "linear/path.h"
#include "linear/simd/integer_table.h"
#include "linear/simd/spans.h"
#include "platform/cpu/simd.h"

namespace lk::cpu {
namespace {

constexpr int kDigits = 3;

constexpr int64_t header_bytes(int digits) {
    return digits == 0 ? 4 : 8 + 4 * digits;
}
constexpr int64_t step_bytes(int digits) {
    return digits == 0 ? PanelLayout::kStepDepth * 4 : PanelLayout::kStepDepth * digits;
}
// Bytes of a row; 0 digits: fp32.
inline int64_t row_bytes(int digits, int64_t spans, int64_t in_features) {
    return spans * header_bytes(digits) + divide_up(in_features, PanelLayout::kStepDepth) * step_bytes(digits);
}

inline void put_floats(const lk_weight& weight, const float* x, int64_t x_stride, int rows, uint8_t* out) {
    auto* next = reinterpret_cast<float*>(out);
    for (SpanCursor cursor(weight); !cursor.at_end(); cursor.next()) {
        const Span& span = cursor.span();
        const int64_t depth = span.steps() * PanelLayout::kStepDepth;
        for (int r = 0; r < rows; ++r) {
            const float* const source = x + r * x_stride + span.first_k;
            float* const column = next + rows + r;
            float sum = 0;
            for (int64_t k = 0; k < depth; ++k) {
                sum += source[k];
                column[k * rows] = source[k];
            }
            next[r] = sum;
        }
        next += rows * (1 + depth);
    }
}

// The largest magnitude as fp32 bits; those of infinities and NaN are above all others.
inline int largest_magnitude(const float* x, int64_t depth) {
    Ints most = zero_ints();
    const Ints without_sign = splat(0x7fffffff);
    int64_t k = 0;
    for (; k + kLanes <= depth; k += kLanes) most = larger(most, bit_and(load_bits(x + k), without_sign));
    int result = largest(most);
    for (; k < depth; ++k) {
        int bits;
        std::memcpy(&bits, x + k, sizeof bits);
        bits &= 0x7fffffff;
        result = bits > result ? bits : result;
    }
    return result;
}

template <int Digits>
struct SpanDigits {
    static constexpr float kLargest = Digits == 1 ? 127.0f : 8350000.0f;  // the top digit stays below 128

    alignas(64) int8_t digits[Digits][kSpanDepth];
    float scale;
    int sums[Digits];

    // depth is a multiple of 8; x has as many.
    SpanDigits(const float* x, int64_t depth) {
        const int bits = largest_magnitude(x, depth);
        float magnitude;
        std::memcpy(&magnitude, &bits, sizeof magnitude);
        const float steps = magnitude / kLargest;
        scale = steps < 0x1p-126f ? 0x1p-126f : steps;
        if (bits >= 0x7f800000) {
            scale = __builtin_nanf("");  // all of the row becomes NaN
            std::memset(digits, 0, sizeof digits);
            for (int& s : sums) s = 0;
            return;
        }
        const Floats inverse = splat(1.0f / scale);
        Ints totals[Digits];
        for (Ints& total : totals) total = zero_ints();
        alignas(64) float tail[kLanes] = {};
        for (int64_t k = 0; k < depth; k += kLanes) {
            const float* source = x + k;
            if (depth - k < kLanes) {
                std::memcpy(tail, source, size_t(depth - k) * sizeof(float));
                source = tail;
            }
            Ints value = to_nearest(multiply(load(source), inverse));
            for (int d = Digits - 1; d > 0; --d) {
                const Ints low = shift_right_signed<24>(shift_left<24>(value));
                value = shift_right_signed<8>(subtract(value, low));
                totals[d] = add(totals[d], low);
                store_bytes(digits[d] + k, low);
            }
            totals[0] = add(totals[0], value);
            store_bytes(digits[0] + k, value);
        }
        for (int d = 0; d < Digits; ++d) sums[d] = sum(totals[d]);
    }

    float sum_of_values() const {
        double total = 0;
        for (const int s : sums) total = total * 256 + s;
        return float(total * double(scale));
    }
};

template <int Digits>
inline void put_digits(const lk_weight& weight, const IntegerTable& table, const float* x, int64_t x_stride, int rows,
                       uint8_t* out) {
    for (SpanCursor cursor(weight); !cursor.at_end(); cursor.next()) {
        const Span& span = cursor.span();
        const int64_t depth = span.steps() * PanelLayout::kStepDepth;
        auto* const scales = reinterpret_cast<float*>(out);
        float* const sums = scales + rows;
        auto* const starts = reinterpret_cast<int32_t*>(sums + rows);
        int32_t* const words = starts + rows * Digits;
        for (int r = 0; r < rows; ++r) {
            const SpanDigits<Digits> made(x + r * x_stride + span.first_k, depth);
            scales[r] = made.scale * table.unit;
            sums[r] = made.sum_of_values();
            for (int d = 0; d < Digits; ++d) {
                starts[r * Digits + d] = -table.zero * made.sums[d];
                for (int64_t k = 0; k < depth; k += 4) {
                    std::memcpy(words + k / 4 * rows * Digits + r * Digits + d, made.digits[d] + k, 4);
                }
            }
        }
        out += rows * (header_bytes(Digits) + span.steps() * step_bytes(Digits));
    }
}

}  // namespace
}  // namespace lk::cpu
