// The layout in which CPU kernels stream a weight.
//
//   panel   32 rows of W, called columns here because they are columns of y; one panel is one stream through memory.
//           The last panel has as many columns as are left: nothing is padded along N.
//   step    8 consecutive k of a panel, in two tiles
//   tile    16 columns of a step: one 32-bit word a column; byte b holds code[k + b] in its low nibble and
//           code[k + 4 + b] in its high one. Codes past K are 0.
//
// A 64-byte register holds a tile whatever the arithmetic: bytes for int8 dot products, words for fp32. Units of scales
// lie in an array of their own, in the order in which panels are walked: [panel][unit][column]; where groups run across
// rows in the checkpoint's order. Zero points lie in that order too, two columns to a byte, the even one in the low
// nibble: [panel][group][column / 2].
#pragma once

#include <cstdint>

#include "core/memory.h"

namespace lk {

struct PanelLayout {
    static constexpr int64_t kColumns = 32;
    static constexpr int64_t kTileColumns = 16;
    static constexpr int64_t kStepDepth = 8;

    int64_t out_features = 0;
    int64_t in_features = 0;
    int64_t unit_size = 1;  // weights of a unit of scales
    bool rows_begin_units = true;

    constexpr int64_t panels() const { return divide_up(out_features, kColumns); }
    constexpr int64_t columns(int64_t panel) const {
        const int64_t left = out_features - panel * kColumns;
        return left < kColumns ? left : kColumns;
    }
    constexpr int64_t steps() const { return divide_up(in_features, kStepDepth); }

    constexpr int64_t codes_bytes() const { return out_features * steps() * 4; }
    // Byte offset of the word of a column (0 ... columns - 1) in a step.
    constexpr int64_t word_offset(int64_t panel, int64_t step, int64_t column) const {
        return panel * kColumns * steps() * 4 + (step * columns(panel) + column) * 4;
    }

    constexpr int64_t units() const {
        return rows_begin_units ? out_features * units_per_row() : divide_up(out_features * in_features, unit_size);
    }
    // Units of a row; only where rows begin units.
    constexpr int64_t units_per_row() const { return divide_up(in_features, unit_size); }
    // Where a unit, given by its number in the checkpoint, lies in the packed array.
    constexpr int64_t unit_index(int64_t unit) const {
        if (!rows_begin_units) return unit;
        const int64_t row = unit / units_per_row();
        const int64_t panel = row / kColumns;
        return panel * kColumns * units_per_row() + unit % units_per_row() * columns(panel) + row % kColumns;
    }

    // Zero points: a unit has one group.
    constexpr int64_t zero_points_bytes() const {
        const int64_t whole = out_features / kColumns;
        return (whole * kColumns / 2 + divide_up(out_features % kColumns, 2)) * units_per_row();
    }
    // Byte offset of a group's zero points.
    constexpr int64_t zero_points_offset(int64_t panel, int64_t group) const {
        return panel * kColumns / 2 * units_per_row() + group * divide_up(columns(panel), 2);
    }
};

}  // namespace lk
