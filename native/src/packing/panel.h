// The layout in which kernels stream a weight.
//
//   panel   32 rows of W, called columns here because they are columns of y; one panel is one stream through memory.
//           The last panel has as many columns as are left: nothing is padded along N.
//   step    8 consecutive k of a panel, in two tiles
//   tile    16 columns of a step: one 32-bit word a column; byte b holds code[k + b] in its low nibble and
//           code[k + 4 + b] in its high one. Codes past K are 0.
//
// A 64-byte register holds a tile whatever the arithmetic: bytes for int8 dot products, words for fp32. Scales lie in
// an array of their own, in the order in which panels are walked: [panel][group][column]; where groups run across rows
// (K not a multiple of the group size) in the checkpoint's order.
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
    int64_t group_size = 1;

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

    // Whether every row begins a group.
    constexpr bool rows_begin_groups() const { return in_features % group_size == 0; }
    constexpr int64_t groups() const { return divide_up(out_features * in_features, group_size); }
    // Groups of a row; only where rows begin groups.
    constexpr int64_t groups_per_row() const { return in_features / group_size; }
    // Where the scale of a group, given by its flat index, lies in the packed array.
    constexpr int64_t scale_index(int64_t group) const {
        if (!rows_begin_groups()) return group;
        const int64_t row = group / groups_per_row();
        const int64_t panel = row / kColumns;
        return panel * kColumns * groups_per_row() + group % groups_per_row() * columns(panel) + row % kColumns;
    }
};

}  // namespace lk
