// Packed codes to fp32, a piece of a panel at a time: the inner part of every portable kernel that reads a weight.
#pragma once

#include <algorithm>

#include "packing/decode_raw.h"
#include "platform/cpu/simd128.h"

namespace lk::cpu {
namespace {

// Depth of the pieces: 32 columns x 128 k x 4 bytes stay in the first-level cache, and partial sums are promoted this
// often.
constexpr int64_t kBlockDepth = 128;

// Decoded columns, k running fastest. Columns and k that the weight does not have are 0.
struct alignas(64) DecodedBlock {
    float values[PanelLayout::kColumns][kBlockDepth];
};

// A table of 16 fp32 values as four tables of bytes, so that a byte shuffle looks 16 codes up at once. Table and affine
// formats take the same path.
class ValueTable {
  public:
    explicit ValueTable(const float values[16]) {
        for (int plane = 0; plane < 4; ++plane) {
            for (int code = 0; code < 16; ++code) {
                planes_[plane][code] = reinterpret_cast<const uint8_t*>(values + code)[plane];
            }
        }
    }

    // 16 codes, four consecutive k of four columns each, to a vector of four k for each column.
    void look_up(u8x16 codes, f32x4 columns[4]) const {
        const u8x16 b0 = lookup(planes_[0], codes), b1 = lookup(planes_[1], codes);
        const u8x16 b2 = lookup(planes_[2], codes), b3 = lookup(planes_[3], codes);
        const u8x16 low01 = interleave_low(b0, b1), high01 = interleave_high(b0, b1);
        const u8x16 low23 = interleave_low(b2, b3), high23 = interleave_high(b2, b3);
        columns[0] = interleave_pairs_low(low01, low23);
        columns[1] = interleave_pairs_high(low01, low23);
        columns[2] = interleave_pairs_low(high01, high23);
        columns[3] = interleave_pairs_high(high01, high23);
    }

  private:
    static u8x16 interleave_low(u8x16 a, u8x16 b) {
        return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    }
    static u8x16 interleave_high(u8x16 a, u8x16 b) {
        return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
    static f32x4 interleave_pairs_low(u8x16 a, u8x16 b) {
        return (f32x4)__builtin_shufflevector((u16x8)a, (u16x8)b, 0, 8, 1, 9, 2, 10, 3, 11);
    }
    static f32x4 interleave_pairs_high(u8x16 a, u8x16 b) {
        return (f32x4)__builtin_shufflevector((u16x8)a, (u16x8)b, 4, 12, 5, 13, 6, 14, 7, 15);
    }

    u8x16 planes_[4];
};

// How a panel's columns become weights in one group. What the kind of scaling does not use stays unset.
struct alignas(64) ColumnScaling {
    float scales[PanelLayout::kColumns];
    float zeros[PanelLayout::kColumns];    // taken off before scaling
    float addends[PanelLayout::kColumns];  // added after it
};

enum class ScalingStep { scale, zero_and_scale, scale_and_add };

constexpr ScalingStep step_of(OffsetKind kind) {
    switch (kind) {
        case OffsetKind::none:
            return ScalingStep::scale;
        case OffsetKind::zero_point:
        case OffsetKind::float_zero:
            return ScalingStep::zero_and_scale;
        case OffsetKind::minimum:
        case OffsetKind::k_quant:
            break;
    }
    return ScalingStep::scale_and_add;
}

template <ScalingStep Step>
inline f32x4 scaled(f32x4 values, const ColumnScaling& scaling, int64_t column) {
    if constexpr (Step == ScalingStep::zero_and_scale) values = values - scaling.zeros[column];
    values = values * scaling.scales[column];
    if constexpr (Step == ScalingStep::scale_and_add) values = values + scaling.addends[column];
    return values;
}

// Looks the codes of steps [begin, end) of a panel up and scales each column.
template <ScalingStep Step>
inline void decode_steps(const lk_weight& weight, const ValueTable& table, int64_t panel, int64_t first_k,
                         int64_t begin, int64_t end, const ColumnScaling& scaling, DecodedBlock& out) {
    const int64_t columns = weight.layout.columns(panel);
    for (int64_t step = begin; step < end; ++step) {
        const uint8_t* words = weight.codes() + weight.layout.word_offset(panel, step, 0);
        float* const destination = &out.values[0][step * PanelLayout::kStepDepth - first_k];
        for (int64_t column = 0; column < columns; column += 4) {
            u8x16 word{};
            if (columns - column >= 4) {
                word = load<u8x16>(words + column * 4);
            } else {
                std::memcpy(&word, words + column * 4, size_t(columns - column) * 4);
            }
            f32x4 low[4], high[4];
            table.look_up(word & 15, low);
            table.look_up(word >> 4, high);
            for (int64_t c = 0; c < 4; ++c) {
                float* const place = destination + (column + c) * kBlockDepth;
                store(place, scaled<Step>(low[c], scaling, column + c));
                store(place + 4, scaled<Step>(high[c], scaling, column + c));
            }
        }
    }
}

// Multiplies k in [first_k, first_k + depth) of a column by its scales, where groups begin anywhere in a row.
inline void scale_across_rows(const lk_weight& weight, int64_t row, int64_t first_k, int64_t depth, float* column) {
    const PanelLayout& layout = weight.layout;
    const int64_t row_begin = row * layout.in_features;
    for (int64_t k = first_k; k < first_k + depth;) {
        const int64_t group = (row_begin + k) / layout.unit_size;
        const int64_t end = std::min(first_k + depth, (group + 1) * layout.unit_size - row_begin);
        const float scale = scale_of(weight, {group, group});
        for (; k < end; ++k) column[k - first_k] *= scale;
    }
}

// The scaling of a group that all columns of a panel begin at the same k.
template <ScalingStep Step>
inline void read_scaling(const lk_weight& weight, int64_t panel, int64_t group, ColumnScaling& out) {
    const PanelLayout& layout = weight.layout;
    const int64_t columns = layout.columns(panel);
    const int64_t groups_of_unit = weight.codec.groups_of_unit();
    const int64_t unit_of_row = group / groups_of_unit;
    const int64_t first_index = panel * PanelLayout::kColumns * layout.units_per_row() + unit_of_row * columns;
    for (int64_t c = 0; c < columns; ++c) {
        const int64_t row = panel * PanelLayout::kColumns + c;
        const GroupPlace place{first_index + c, row * layout.units_per_row() + unit_of_row, group % groups_of_unit};
        out.scales[c] = scale_of(weight, place);
        if constexpr (Step == ScalingStep::zero_and_scale) {
            out.zeros[c] = weight.codec.has_zero_units() ? float_zero_of(weight, place)
                                                         : float(zero_point_of(weight, panel, group, c));
        }
        if constexpr (Step == ScalingStep::scale_and_add) out.addends[c] = addend_of(weight, place);
    }
}

template <ScalingStep Step>
inline void decode_groups(const lk_weight& weight, const ValueTable& table, int64_t panel, int64_t first_k,
                          int64_t end_k, DecodedBlock& out) {
    const int64_t group_size = weight.codec.group_size;
    ColumnScaling scaling;
    for (int64_t k = first_k; k < end_k;) {
        const int64_t group = k / group_size;
        // A row's last group may end inside a step.
        const int64_t end = std::min(end_k, round_up((group + 1) * group_size, PanelLayout::kStepDepth));
        read_scaling<Step>(weight, panel, group, scaling);
        decode_steps<Step>(weight, table, panel, first_k, k / PanelLayout::kStepDepth, end / PanelLayout::kStepDepth,
                           scaling, out);
        k = end;
    }
}

// Decodes k in [first_k, first_k + depth) of a panel, in packed order; first_k is a multiple of kBlockDepth, depth <=
// kBlockDepth.
inline void decode_block(const lk_weight& weight, const ValueTable& table, int64_t panel, int64_t first_k,
                         int64_t depth, DecodedBlock& out) {
    const PanelLayout& layout = weight.layout;
    const int64_t columns = layout.columns(panel);
    const int64_t end_k = first_k + round_up(depth, PanelLayout::kStepDepth);
    if (weight.codec.is_raw()) {
        decode_raw(weight, panel, first_k, depth, out.values);
    } else if (!layout.rows_begin_units) {
        ColumnScaling unscaled;
        std::fill(unscaled.scales, unscaled.scales + PanelLayout::kColumns, 1.0f);
        decode_steps<ScalingStep::scale>(weight, table, panel, first_k, first_k / PanelLayout::kStepDepth,
                                         end_k / PanelLayout::kStepDepth, unscaled, out);
        for (int64_t c = 0; c < columns; ++c) {
            scale_across_rows(weight, panel * PanelLayout::kColumns + c, first_k, depth, out.values[c]);
        }
    } else {
        switch (step_of(weight.codec.offset_kind)) {
            case ScalingStep::scale:
                decode_groups<ScalingStep::scale>(weight, table, panel, first_k, end_k, out);
                break;
            case ScalingStep::zero_and_scale:
                decode_groups<ScalingStep::zero_and_scale>(weight, table, panel, first_k, end_k, out);
                break;
            case ScalingStep::scale_and_add:
                decode_groups<ScalingStep::scale_and_add>(weight, table, panel, first_k, end_k, out);
                break;
        }
    }
    for (int64_t c = 0; c < columns && end_k - first_k > depth; ++c) {
        std::fill(out.values[c] + depth, out.values[c] + (end_k - first_k), 0.0f);
    }
    for (int64_t c = columns; c < round_up(columns, 4); ++c) {
        std::fill(out.values[c], out.values[c] + (end_k - first_k), 0.0f);
    }
}

}  // namespace
}  // namespace lk::cpu
