// How a warp adds adapters' updates to a tile of y^T: the sizes, and its shared memory.
#pragma once

#include <cstdint>

namespace lk::cuda {

// Columns of y, tokens and ranks that are multiplied at a time.
inline constexpr int kUpdateColumns = 32;
inline constexpr int kUpdateTokens = 8;
inline constexpr int kUpdateRanks = 16;

// B^T of one unit. Rows of ranks lie so that eight of them, 16 bytes of each, touch every bank once.
struct alignas(16) UpdateFactors {
    uint16_t values[kUpdateRanks][kUpdateColumns + 8];
};

// Shared memory of a warp: units under way.
struct UpdateStaging {
    static constexpr int kStages = 4;
    UpdateFactors stages[kStages];
};

// What a warp does where several share a tile: the adapters of which one of these tokens is the first, and from a first
// rank on every so many.
struct UpdateShare {
    uint32_t first_tokens = ~0u;
    int32_t first_rank = 0;
    int32_t rank_step = kUpdateRanks;
};

}  // namespace lk::cuda
