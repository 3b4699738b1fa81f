// The inner loops of the vector paths: a block of rows times two registers of columns over a chunk of k.
#pragma once

#include "linear/simd/activations.h"
#include "linear/simd/codes.h"
#include "linear/simd/scales.h"

namespace lk::cpu {
namespace {

// What a block of rows is multiplied with, but the codes.
struct ChunkSpans {
    const Chunk& chunk;
    const float* scales;   // [span][column of the panel], from the pass's first column on
    const float* addends;  // or NULL where no format has any
};

// totals[r][c] += scales[c] * product[r][c] + addends[c] * sums[r] of one span.
template <int Rows>
inline void add_span(const ChunkSpans& spans, int64_t s, const Floats (&products)[Rows][kVectors], const float* sums,
                     float* totals) {
    for (int v = 0; v < kVectors; ++v) {
        const Floats scale = load(spans.scales + s * kColumns + v * kLanes);
        for (int r = 0; r < Rows; ++r) {
            float* const place = totals + r * kColumns + v * kLanes;
            store(place, multiply_add(products[r][v], scale, load(place)));
        }
        if (spans.addends == nullptr) continue;
        const Floats addend = load(spans.addends + s * kColumns + v * kLanes);
        for (int r = 0; r < Rows; ++r) {
            float* const place = totals + r * kColumns + v * kLanes;
            store(place, multiply_add(splat(sums[r]), addend, load(place)));
        }
    }
}

template <int Half, int K, int Rows, class Step>
inline void multiply_k(const Step& step, const float* x, Floats (&sums)[Rows][kVectors]) {
    Floats w[kVectors];
    for (int v = 0; v < kVectors; ++v) w[v] = step.template value<Half, K>(v);
    for (int r = 0; r < Rows; ++r) {
        const Floats value = splat(x[(Half * 4 + K) * Rows + r]);
        for (int v = 0; v < kVectors; ++v) sums[r][v] = multiply_add(w[v], value, sums[r][v]);
    }
}

// fp32: two sums for each result, one of the first four k of each step and one of the others, added at a span's end.
template <int Rows, class Codes>
void multiply_floats(const Codes& codes, const ChunkSpans& spans, const uint8_t* prepared, float* totals) {
    const auto* x = reinterpret_cast<const float*>(prepared);
    int64_t step = 0;
    for (int64_t s = 0; s < spans.chunk.count; ++s) {
        const float* const x_sums = x;
        x += Rows;
        Floats low[Rows][kVectors], high[Rows][kVectors];
        for (int r = 0; r < Rows; ++r) {
            for (int v = 0; v < kVectors; ++v) low[r][v] = high[r][v] = zero_floats();
        }
        for (const int64_t end = step + spans.chunk.spans[s].steps(); step < end;
             ++step, x += Rows * PanelLayout::kStepDepth) {
            const auto values = codes.step(step);
            multiply_k<0, 0>(values, x, low);
            multiply_k<1, 0>(values, x, high);
            multiply_k<0, 1>(values, x, low);
            multiply_k<1, 1>(values, x, high);
            multiply_k<0, 2>(values, x, low);
            multiply_k<1, 2>(values, x, high);
            multiply_k<0, 3>(values, x, low);
            multiply_k<1, 3>(values, x, high);
        }
        for (int r = 0; r < Rows; ++r) {
            for (int v = 0; v < kVectors; ++v) low[r][v] = add_floats(low[r][v], high[r][v]);
        }
        add_span<Rows>(spans, s, low, x_sums, totals);
    }
}

// The digits' integer sums as one number.
template <int Digits>
inline Floats combine(const Ints (&digits)[Digits][kVectors], int v) {
    if constexpr (Digits == 1) {
        return to_floats(digits[0][v]);
    } else {
        static_assert(Digits == 3);
        const Floats low = to_floats(add(shift_left<8>(digits[1][v]), digits[2][v]));
        return multiply_add(to_floats(digits[0][v]), splat(65536.0f), low);
    }
}

template <int Rows, int Digits>
using DigitSums = Ints[Rows][Digits][kVectors];

// Half of a step: four k.
template <int Rows, int Digits, bool Signed>
[[gnu::always_inline]] inline void dot_half(const Ints (&bytes)[kVectors], const int32_t* words,
                                            DigitSums<Rows, Digits>& sums) {
    LK_UNROLL for (int r = 0; r < Rows; ++r) {
        LK_UNROLL for (int d = 0; d < Digits; ++d) {
            const Ints x = splat(words[r * Digits + d]);
            LK_UNROLL for (int v = 0; v < kVectors; ++v) dot<Signed>(sums[r][d][v], bytes[v], x);
        }
    }
}

// Steps whose products of codes and bytes fit 16 bits: each adds four to every pair's sum.
constexpr int64_t kStepsOfPairs = 32767 / (4 * 15 * 128);

// Without an instruction for it, sums stay pairs as long as they fit.
template <int Rows, int Digits>
[[gnu::always_inline]] inline void add_pairs_of_half(const Ints (&codes)[kVectors], const int32_t* words,
                                                     DigitSums<Rows, Digits>& pairs) {
    LK_UNROLL for (int r = 0; r < Rows; ++r) {
        LK_UNROLL for (int d = 0; d < Digits; ++d) {
            const Ints x = splat(words[r * Digits + d]);
            LK_UNROLL for (int v = 0; v < kVectors; ++v) {
                pairs[r][d][v] = add_pairs(pairs[r][d][v], multiply_pairs(codes[v], x));
            }
        }
    }
}

template <bool Stay, int Rows, int Digits, class Codes>
[[gnu::always_inline]] inline void dot_step(const Codes& codes, int64_t step, const int32_t* words,
                                            DigitSums<Rows, Digits>& low_sums, DigitSums<Rows, Digits>& high_sums) {
    Ints low[kVectors], high[kVectors];
    codes.template step<Stay>(step, low, high);
    dot_half<Rows, Digits, Codes::kSigned>(low, words, low_sums);
    dot_half<Rows, Digits, Codes::kSigned>(high, words + Rows * Digits, high_sums);
}

// Where a step is little work, four of them are one round of the loop; where it is much, registers are too few for
// that.
template <bool Stay, int Rows, int Digits, class Codes>
[[gnu::always_inline]] inline void dot_all(const Codes& codes, int64_t step, int64_t end, const int32_t* words,
                                           DigitSums<Rows, Digits>& low_sums, DigitSums<Rows, Digits>& high_sums) {
    constexpr int64_t kWords = 2 * Rows * Digits;
    if constexpr (Rows * Digits == 1) {
#pragma GCC unroll 4
        for (; step < end; ++step, words += kWords) {
            dot_step<Stay, Rows, Digits>(codes, step, words, low_sums, high_sums);
        }
    } else {
        for (; step < end; ++step, words += kWords) {
            dot_step<Stay, Rows, Digits>(codes, step, words, low_sums, high_sums);
        }
    }
}

// `steps` steps from `step` on. Few rows have registers for two sums of each result: their chains are shorter, and high
// codes may stay where they are.
template <int Rows, int Digits, class Codes>
[[gnu::always_inline]] inline void dot_steps(const Codes& codes, int64_t step, int64_t steps, const int32_t* words,
                                             DigitSums<Rows, Digits>& sums) {
    constexpr bool kStay = Codes::kCanStay && Rows * Digits <= 6;
    const int64_t end = step + steps;
    if constexpr (Codes::kCodes && !kHasDotInstruction) {
        while (step < end) {
            DigitSums<Rows, Digits> pairs;
            LK_UNROLL for (int r = 0; r < Rows; ++r) {
                LK_UNROLL for (int d = 0; d < Digits; ++d) {
                    LK_UNROLL for (int v = 0; v < kVectors; ++v) pairs[r][d][v] = zero_ints();
                }
            }
            const int64_t together = std::min(end - step, kStepsOfPairs);
            LK_UNROLL for (int64_t i = 0; i < kStepsOfPairs; ++i) {
                if (i >= together) break;
                Ints low[kVectors], high[kVectors];
                codes.template step<false>(step + i, low, high);
                const int32_t* const words_of_step = words + i * 2 * Rows * Digits;
                add_pairs_of_half<Rows, Digits>(low, words_of_step, pairs);
                add_pairs_of_half<Rows, Digits>(high, words_of_step + Rows * Digits, pairs);
            }
            step += together;
            words += together * 2 * Rows * Digits;
            LK_UNROLL for (int r = 0; r < Rows; ++r) {
                LK_UNROLL for (int d = 0; d < Digits; ++d) {
                    LK_UNROLL for (int v = 0; v < kVectors; ++v) {
                        sums[r][d][v] = add(sums[r][d][v], sum_pairs(pairs[r][d][v]));
                    }
                }
            }
        }
    } else if constexpr (!kStay) {
        dot_all<false, Rows, Digits>(codes, step, end, words, sums, sums);
    } else {
        DigitSums<Rows, Digits> high_sums;
        LK_UNROLL for (int r = 0; r < Rows; ++r) {
            LK_UNROLL for (int d = 0; d < Digits; ++d) {
                LK_UNROLL for (int v = 0; v < kVectors; ++v) high_sums[r][d][v] = zero_ints();
            }
        }
        dot_all<true, Rows, Digits>(codes, step, end, words, sums, high_sums);
        LK_UNROLL for (int r = 0; r < Rows; ++r) {
            LK_UNROLL for (int d = 0; d < Digits; ++d) {
                LK_UNROLL for (int v = 0; v < kVectors; ++v) {
                    sums[r][d][v] = add(sums[r][d][v], shift_right_signed<4>(high_sums[r][d][v]));
                }
            }
        }
    }
}

template <int Rows, int Digits, class Codes>
[[gnu::noinline]] void multiply_digits(const Codes& from, const ChunkSpans& spans, const uint8_t* prepared,
                                       float* totals) {
    const Codes codes = from;
    int64_t step = 0;
    for (int64_t s = 0; s < spans.chunk.count; ++s) {
        const auto* const x_scales = reinterpret_cast<const float*>(prepared);
        const float* const x_sums = x_scales + Rows;
        const auto* const starts = reinterpret_cast<const int32_t*>(x_sums + Rows);
        const int32_t* const words = starts + Rows * Digits;
        DigitSums<Rows, Digits> sums;
        LK_UNROLL for (int r = 0; r < Rows; ++r) {
            LK_UNROLL for (int d = 0; d < Digits; ++d) {
                LK_UNROLL for (int v = 0; v < kVectors; ++v) sums[r][d][v] = splat(starts[r * Digits + d]);
            }
        }
        const int64_t steps = spans.chunk.spans[s].steps();
        dot_steps<Rows, Digits>(codes, step, steps, words, sums);
        step += steps;
        prepared = reinterpret_cast<const uint8_t*>(words + 2 * steps * Rows * Digits);
        Floats products[Rows][kVectors];
        LK_UNROLL for (int r = 0; r < Rows; ++r) {
            const Floats scale = splat(x_scales[r]);
            LK_UNROLL for (int v = 0; v < kVectors; ++v) products[r][v] = multiply(combine<Digits>(sums[r], v), scale);
        }
        add_span<Rows>(spans, s, products, x_sums, totals);
    }
}

}  // namespace
}  // namespace lk::cpu
