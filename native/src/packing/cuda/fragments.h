// The layout in which tensor-core kernels stream a weight: rows of W are rows of the A operand of mma.m16n8k16, at any
// number of tokens, and one 16-byte word of a lane is four whole fragments of it.
//
//   panel    32 rows of W. The last one is padded: scales of rows that are not there are 0.
//   k-block  32 consecutive k of a panel: 16 bytes a lane, 512 bytes. The last one is padded.
//   record   128 k: four k-blocks, or as many as are left at the end of a row. Scales are ordered by record.
//
// Lane 4g + t holds rows g, g + 8, g + 16, g + 24 of the panel and k = 8t ... 8t + 7 of the block. Word 2m + s of the
// four is the fragment of rows 16m ... 16m + 15 in the step s: registers 0 and 2 are row 16m + g, registers 1 and 3 are
// row 16m + g + 8; registers 0 and 1 hold k = 8t + 4s + {0, 1}, registers 2 and 3 the two k behind. The B operand then
// needs no shuffle: what lane 4g + t needs of token g in both steps is k = 8t ... 8t + 7 of it, 16 bytes that lie
// together.
#pragma once

#include <cstdint>

#include "core/memory.h"

namespace lk::cuda {

// Where a weight lies: a 32-bit word of the codes, and which of its eight codes.
struct CodePlace {
    int64_t word;
    int slot;  // 2 * register + half of the register
};

struct FragmentLayout {
    static constexpr int kRows = 32;          // of a panel
    static constexpr int kBlockDepth = 32;    // k
    static constexpr int kRecordDepth = 128;  // k
    static constexpr int kLaneRows = 4;       // rows of one lane, 8 apart
    static constexpr int kBlockWords = 128;   // 32-bit words of a k-block
    static constexpr int kBlockBytes = kBlockWords * 4;
    static constexpr int kCodesOfWord = 8;

    int64_t out_features = 0;
    int64_t in_features = 0;
    int64_t group_size = 1;  // weights that share a stored unit of scales
    // Where groups run across rows, scales lie in the checkpoint's order: group i is that of flat indices from
    // i * group_size on.
    bool rows_begin_groups = true;

    constexpr int64_t panels() const { return divide_up(out_features, kRows); }
    constexpr int64_t blocks() const { return divide_up(in_features, kBlockDepth); }
    constexpr int64_t records() const { return divide_up(in_features, kRecordDepth); }
    constexpr int64_t groups_per_row() const { return divide_up(in_features, group_size); }

    constexpr int64_t codes_bytes() const { return panels() * blocks() * kBlockBytes; }
    // Scales, those of rows that are not there included.
    constexpr int64_t scale_count() const {
        return rows_begin_groups ? panels() * kRows * groups_per_row()
                                 : divide_up(out_features * in_features, group_size);
    }

    // Groups whose scales lie together: those of a full record. A power of two.
    constexpr int64_t groups_per_record() const {
        return kRecordDepth % group_size == 0 ? kRecordDepth / group_size : 1;
    }

    // Index of the first of a lane's four scales of a group, which lie side by side: those of rows lane_row,
    // lane_row + 8, + 16, + 24 of the panel. Within a record (or a group, where that is longer) the order is
    // [lane_row][group][four], so that what a lane needs of a record lies together.
    constexpr int64_t lane_scales(int64_t panel, int lane_row, int64_t group) const {
        const int64_t first = group / groups_per_record() * groups_per_record();
        const int64_t left = groups_per_row() - first;
        const int64_t together = left < groups_per_record() ? left : groups_per_record();
        return (panel * groups_per_row() + first) * kRows + lane_row * together * kLaneRows +
               (group - first) * kLaneRows;
    }
    constexpr int64_t scale_index(int64_t row, int64_t group) const {
        return lane_scales(row / kRows, int(row % 8), group) + row % kRows / 8;
    }

    // Zero points of 4 bits, in the order of the scales: the four of a lane are a 16-bit word.
    constexpr int64_t zero_points_bytes() const { return scale_count() / kLaneRows * 2; }

    static constexpr CodePlace place_in_panel(int64_t row, int64_t k) {
        const int in_block = int(k % kBlockDepth);
        const int lane = int(row % 8) * 4 + in_block / 8;
        const int tile = int(row % kRows / 16);
        const int step = in_block % 8 / 4;
        const int upper_row = int(row % 16 / 8);
        const int reg = in_block % 4 / 2 * 2 + upper_row;
        return {k / kBlockDepth * kBlockWords + lane * 4 + tile * 2 + step, reg * 2 + in_block % 2};
    }

    constexpr CodePlace place(int64_t row, int64_t k) const {
        CodePlace place = place_in_panel(row, k);
        place.word += row / kRows * blocks() * kBlockWords;
        return place;
    }
};

}  // namespace lk::cuda
