// The block of the decode kernel.
#pragma once

#include <algorithm>

#include "lora/cuda/update_staging.h"
#include "matmul/cuda/intervals.h"

namespace lk::cuda {

inline constexpr int kDecodeTokens = 8;

// Warps that share K. From sm_90 on a warp has two records under way, below it one (see decode.cuh), and more warps
// with fewer registers make up for it.
constexpr int decode_warps(int compute_capability) {
    return compute_capability >= 90 ? 16 : 24;
}
inline constexpr int kMostDecodeWarps = decode_warps(0);

// Warps among them that add adapters: shared memory for more there is not on every architecture.
inline constexpr int kDecodeAdapterWarps = 16;

// Sums of a warp, [token][row]: rows of a token lie so that neither a warp's stores nor its loads conflict.
struct DecodeSums {
    static constexpr int kTokenFloats = FragmentLayout::kRows + 4;
    float values[kDecodeTokens][kTokenFloats];
};

// From a token's row in shared memory to the next: those of 8 tokens lie so that reads of 16 bytes do not conflict.
constexpr int64_t decode_token_bytes(const FragmentLayout& layout) {
    return round_up(layout.blocks() * FragmentLayout::kBlockDepth * int64_t(sizeof(uint16_t)), 128) + 64;
}

// Dynamic shared memory: the table of pairs, tokens, scales and sums of tokens; behind the main loop, in their place,
// what adapters need of every warp; in the end the sums.
constexpr int64_t decode_shared_bytes(const FragmentView& weight, int64_t tokens, bool has_adapters, int warps) {
    const int64_t table = weight.codec.value_kind == ValueKind::table ? PairTable::kEnd : 0;
    const int depth = interval_depth(weight.codec.group_size);
    const Correction correction = correction_of(weight.codec);
    const int64_t intervals = divide_up(weight.layout.in_features, depth);
    const int64_t floats = intervals * interval_floats(correction) +
                           token_sum_intervals(weight.layout, depth) * token_sum_floats(correction);
    const int64_t adapters = has_adapters ? kDecodeAdapterWarps * int64_t(sizeof(UpdateStaging)) : 0;
    return std::max({table + tokens * decode_token_bytes(weight.layout) + floats * int64_t(sizeof(float)), adapters,
                     warps * int64_t(sizeof(DecodeSums))});
}

}  // namespace lk::cuda
