// The tiles of the batch kernels: how much a block computes, how it is divided among warps, and the shared memory that
// this takes. Host code chooses among them by the same figures.
#pragma once

#include <cstdint>

#include "packing/cuda/fragments.h"

namespace lk::cuda {

// What a code is, and what becomes of it on its way into mma's A operand.
enum class BatchCodec : uint8_t {
    affine,          // code - zero, exactly; the scale multiplies sums
    affine_minimum,  // the code, exactly; the scale multiplies sums, and a minimum the sums of x
    table,           // a value out of 16; the scale multiplies sums
    e2m1,            // the value, exactly; the scale multiplies sums
    e2m1_scaled,     // value * scale, exactly: E4M3 scales of groups of 16
};

template <BatchCodec Codec, int Tokens>
struct BatchShape {
    static_assert(Tokens == 8 || Tokens == 32 || Tokens == 64 || Tokens == 128);
    static constexpr int kTokens = Tokens;
    static constexpr int kPanels = 4;
    static constexpr int kRows = kPanels * FragmentLayout::kRows;  // of W

    // Warps: one a panel, times one or two along the tokens.
    static constexpr int kTokenWarps = Tokens == 128 ? 2 : 1;
    static constexpr int kThreads = kPanels * kTokenWarps * 32;
    static constexpr int kColumnTiles = Tokens / kTokenWarps / 8;  // of mma, a warp's

    // Blocks of a multiprocessor that registers must suffice for.
    static constexpr int kResident = Tokens == 8 ? 4 : Tokens == 128 ? 1 : 2;

    // What is staged at a time. Beside the pair table, 99 KiB do not hold four of the larger stages.
    static constexpr int kDepth = Tokens <= 32 ? 128 : 64;
    static constexpr int kBlocks = kDepth / FragmentLayout::kBlockDepth;
    static constexpr int kStages = Codec == BatchCodec::table && (Tokens == 32 || Tokens == 128) ? 3 : 4;
    static constexpr int kStagesOfRecord = FragmentLayout::kRecordDepth / kDepth;

    // Groups whose scales are kept at once, by their number modulo this: those of the record in use and of the next.
    static constexpr int kGroupSlots = Codec == BatchCodec::e2m1_scaled ? 16 : 8;
    static constexpr bool kHasOffsets = Codec == BatchCodec::affine || Codec == BatchCodec::affine_minimum;
    static constexpr bool kHasTable = Codec == BatchCodec::table;
};

}  // namespace lk::cuda
