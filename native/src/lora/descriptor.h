// A low-rank update as kernels see it.
#pragma once

#include <cstdint>

#include "core/memory.h"
#include "lorakernels.h"

namespace lk {

// Ranks are stored and computed in tiles: mixed ranks cost what they are, not the largest of them.
inline constexpr int64_t kRankTile = 8;

constexpr int64_t rank_tiles(int64_t rank) {
    return divide_up(rank, kRankTile);
}

// Vectors that an update may have, as bits.
enum LoraVectors : uint16_t { kHasBias = 1, kHasColumnScale = 2 };

// One for each slice of the table. a and b are tiles one after the other: A is [tiles * 8, in], B is kept transposed,
// [tiles * 8, out]. Behind B lie the vectors that there are, bias before column scale, fp32 [columns].
struct LoraDescriptor {
    const void* a;
    const void* b;
    int64_t first_column;  // of the slice
    int64_t columns;
    float scale;
    int16_t rank;      // 0: the adapter does not change this slice
    uint16_t vectors;  // LoraVectors
    lk_dtype a_dtype;
    lk_dtype b_dtype;
    int32_t finite;  // no element is infinite or NaN
    uint32_t reserved;
};

static_assert(LK_LORA_MAX_RANK <= INT16_MAX);

// Memory of a factor's tiles, of rows of `length` elements.
constexpr int64_t tiles_bytes(int64_t rank, int64_t length, int64_t element_bytes) {
    return round_up(rank_tiles(rank) * kRankTile * length * element_bytes, 64);
}

}  // namespace lk
