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

// One for each slice of the table. a and b are tiles one after the other: A is [tiles * 8, in], B is kept transposed,
// [tiles * 8, out].
struct LoraDescriptor {
    const void* a;
    const void* b;
    int64_t first_column;  // of the slice
    int64_t columns;
    float scale;
    int32_t rank;  // 0: the adapter does not change this slice
    lk_dtype a_dtype;
    lk_dtype b_dtype;
    int32_t finite;  // no element of A or B is infinite or NaN
    uint32_t reserved;
};

}  // namespace lk
