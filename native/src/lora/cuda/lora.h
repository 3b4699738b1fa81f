// LoRA on a GPU. Launches depend on shapes and capacities only; what the plan holds is read on the device.
#pragma once

#include "lora/cuda/device_plan.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// Into how many pieces of k a shrink is divided: few rows need many blocks to be fast. For values that are row_local it
// is a matter of k alone.
constexpr int32_t shrink_pieces(int64_t in_features, int64_t rows, bool row_local) {
    constexpr int64_t kShortest = 512;
    const int64_t most = row_local || rows <= 64 ? 8 : rows <= 256 ? 2 : 1;
    const int64_t pieces = divide_up(in_features, kShortest);
    return int32_t(pieces < 1 ? 1 : pieces < most ? pieces : most);
}

// adapters.values = x * A^T of every entry. `items` is how many items the plan may hold. A kernel that is launched
// next, as a programmatic one, may begin early.
void shrink(const Stream& stream, const lk_matrix& x, const Adapters& adapters, int64_t items);

// s = adapters.values, which were computed from x, whole and one entry a row; 0 where entries have none.
void collect(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& s);

// y += the adapters' updates, from adapters.values, which the launch before has computed from x; without x.data they
// are all that is known.
void expand(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& y);

// Rows up to which shrink and expand are one launch.
inline constexpr int64_t kApplyRows = 16;

// Zeros before and after every launch. A stream's launches share them.
struct ApplyCounters {
    uint32_t tickets;
    uint32_t shrunk;
    uint32_t left;
    uint32_t reserved;
};

// y += the adapters' updates of x, in one launch.
void apply(const Stream& stream, const lk_matrix& x, const Adapters& adapters, int64_t items, const lk_matrix& y,
           ApplyCounters* counters);

}  // namespace lk::cuda
