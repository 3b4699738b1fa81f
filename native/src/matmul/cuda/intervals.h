// Intervals: what tensor cores add up before a scale is applied, and how their scales lie in shared memory.
#pragma once

#include <cstdint>

#include "packing/cuda/fragment_view.h"

namespace lk::cuda {

// What is added to a group's products besides scale * values.
enum class Correction {
    none,      // values are exact as they are
    constant,  // affine with one zero for all groups: products begin at -zero times the sum of the token's elements
    offsets,   // an offset for every group and row: times the sum of the token's elements
};

constexpr Correction correction_of(const Codec& codec) {
    if (codec.offset_kind != OffsetKind::none) return Correction::offsets;
    return codec.value_kind == ValueKind::affine ? Correction::constant : Correction::none;
}

// k of an interval: the group, or what divides it and 128.
constexpr int interval_depth(int64_t group_size) {
    return group_size % 128 == 0 ? 128 : group_size % 64 == 0 ? 64 : group_size % 32 == 0 ? 32 : 16;
}

// Scales, then offsets of an interval of a panel. What the four lanes of a row need lies together: [row % 8][row / 8].
constexpr int interval_floats(Correction correction) {
    return correction == Correction::offsets ? 2 * FragmentLayout::kRows : FragmentLayout::kRows;
}

// Sums of eight tokens over an interval, pairs of tokens together. For Correction::constant a pair has four floats:
// what products of rows g and of rows g + 8 begin at.
constexpr int token_sum_floats(Correction correction) {
    return correction == Correction::none ? 0 : correction == Correction::constant ? 16 : 8;
}

// Intervals of sums: of a whole record those of `depth`, behind the last whole one k-blocks.
constexpr int64_t token_sum_intervals(const FragmentLayout& layout, int depth) {
    const int64_t records = layout.in_features / FragmentLayout::kRecordDepth;
    const int64_t blocks = layout.blocks() - records * (FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth);
    return records * (FragmentLayout::kRecordDepth / depth) + blocks;
}

// Values of pairs of codes: entry [code byte][lane], a copy for each lane, so that a warp's lookups never meet in a
// bank. Rows are 256 bytes apart: a byte permutation makes an offset of a code byte; the second half of a row is free.
struct PairTable {
    static constexpr int kEntries = 256;
    static constexpr int kRowWords = 64;
    static constexpr int kBytes = kEntries * kRowWords * 4;
    static constexpr uint32_t kAddress = 2048;  // in the shared window
    // Of a launch's dynamic shared memory, from its beginning.
    static constexpr int kEnd = int(kAddress) + kBytes;
};

}  // namespace lk::cuda
