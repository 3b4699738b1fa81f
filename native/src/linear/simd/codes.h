// Where kernels take the values of W from, two registers of columns at a time: from the packed codes, for a few rows,
// or from a chunk that was decoded before, for many. Either way they are the same values.
#pragma once

#include "linear/simd/integer_table.h"
#include "packing/weight.h"
#include "platform/cpu/simd.h"

namespace lk::cpu {
namespace {

constexpr int kVectors = 2;
constexpr int64_t kPassColumns = kVectors * kLanes;
constexpr int64_t kPasses = PanelLayout::kColumns / kPassColumns;

// How far ahead of their use codes are asked for. Between two chunks memory would stand still otherwise.
constexpr int64_t kCodesAhead = 8192;
constexpr int kLine = 64;

// The codes of some columns of a panel: a word of eight k for each column, steps apart. Columns that the panel does not
// have are read as well: what follows in memory, and pack() has seen to it that something does.
struct PackedWords {
    const uint8_t* words;
    int64_t stride;

    PackedWords(const lk_weight& weight, int64_t panel, int64_t pass, int64_t first_step) {
        const int64_t columns = weight.layout.columns(panel);
        const int64_t column = pass * kPassColumns;
        words = weight.codes() + weight.layout.word_offset(panel, first_step, column < columns ? column : 0);
        stride = columns * 4;
    }
    Ints at(int64_t step, int v) const {
        const uint8_t* const place = words + step * stride + v * kLanes * 4;
        if (v * kLanes * 4 % kLine == 0) prefetch(place + kCodesAhead);
        return load_bits(place);
    }
};

// fp32 values of a step: Half 0 has k = 0 ... 3, half 1 k = 4 ... 7.
struct PackedFloats {
    PackedWords words;
    FloatTable table;

    struct Step {
        Ints words[kVectors];
        const FloatTable& table;

        template <int Half, int K>
        Floats value(int v) const {
            return table.look_up(shift_right<8 * K + 4 * Half>(words[v]));
        }
    };
    Step step(int64_t s) const { return {{words.at(s, 0), words.at(s, 1)}, table}; }
};

// Decoded: [step][k of 8][column].
struct DecodedFloats {
    const float* values;

    struct Step {
        const float* values;

        template <int Half, int K>
        Floats value(int v) const {
            return load(values + (Half * 4 + K) * kPassColumns + v * kLanes);
        }
    };
    Step step(int64_t s) const { return {values + s * PanelLayout::kStepDepth * kPassColumns}; }
};

inline void decode_floats(const PackedFloats& packed, int64_t steps, float* out) {
    for (int64_t s = 0; s < steps; ++s, out += PanelLayout::kStepDepth * kPassColumns) {
        const PackedFloats::Step step = packed.step(s);
        LK_UNROLL for (int v = 0; v < kVectors; ++v) {
            float* const column = out + v * kLanes;
            store(column + 0 * kPassColumns, step.value<0, 0>(v));
            store(column + 1 * kPassColumns, step.value<0, 1>(v));
            store(column + 2 * kPassColumns, step.value<0, 2>(v));
            store(column + 3 * kPassColumns, step.value<0, 3>(v));
            store(column + 4 * kPassColumns, step.value<1, 0>(v));
            store(column + 5 * kPassColumns, step.value<1, 1>(v));
            store(column + 6 * kPassColumns, step.value<1, 2>(v));
            store(column + 7 * kPassColumns, step.value<1, 3>(v));
        }
    }
}

// Bytes of a step: four k of each column. Where codes are the values, those of the high half can be left where
// they are, 16 times as large: that spares the shift.
template <bool IsCodes>
struct PackedBytes {
    static constexpr bool kCanStay = IsCodes && kHasDotInstruction;
    static constexpr bool kCodes = IsCodes;
    static constexpr bool kSigned = !IsCodes && !kHasDotInstruction;
    PackedWords words;
    Ints mask, high_mask;
    Ints table;

    PackedBytes(const PackedWords& from, const IntegerTable& values)
        : words(from), mask(splat_bytes(15)), high_mask(splat_bytes(0xf0)), table(byte_table(values.bytes)) {}

    template <bool Stay>
    void step(int64_t s, Ints low[kVectors], Ints high[kVectors]) const {
        static_assert(kCanStay || !Stay);
        LK_UNROLL for (int v = 0; v < kVectors; ++v) {
            const Ints word = words.at(s, v);
            low[v] = bit_and(word, mask);
            high[v] = Stay ? bit_and(word, high_mask) : bit_and(shift_right<4>(word), mask);
            if (IsCodes) continue;
            low[v] = look_up(table, low[v]);
            high[v] = look_up(table, high[v]);
        }
    }
};

// Decoded: [step][half][column].
template <bool IsCodes>
struct DecodedBytes {
    static constexpr bool kCanStay = false;
    static constexpr bool kCodes = IsCodes;
    static constexpr bool kSigned = PackedBytes<IsCodes>::kSigned;
    const uint8_t* bytes;

    template <bool Stay>
    void step(int64_t s, Ints low[kVectors], Ints high[kVectors]) const {
        const uint8_t* const source = bytes + s * kPassColumns * PanelLayout::kStepDepth;
        LK_UNROLL for (int v = 0; v < kVectors; ++v) {
            low[v] = load_bits(source + v * kLanes * 4);
            high[v] = load_bits(source + (kVectors + v) * kLanes * 4);
        }
    }
};

template <bool IsCodes>
inline void decode_bytes(const PackedBytes<IsCodes>& packed, int64_t steps, uint8_t* out) {
    for (int64_t s = 0; s < steps; ++s, out += kPassColumns * PanelLayout::kStepDepth) {
        Ints low[kVectors], high[kVectors];
        packed.template step<false>(s, low, high);
        LK_UNROLL for (int v = 0; v < kVectors; ++v) {
            store_bits(out + v * kLanes * 4, low[v]);
            store_bits(out + (kVectors + v) * kLanes * 4, high[v]);
        }
    }
}

}  // namespace
}  // namespace lk::cpu
