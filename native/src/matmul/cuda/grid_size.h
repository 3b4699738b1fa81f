// Blocks of a launch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "platform/cuda/api.h"

namespace lk::cuda {

// One block an item, as far as a grid can be large; kernels walk over the items in steps of the grid.
inline dim3 grid_size(int64_t items) {
    return dim3(static_cast<unsigned>(std::clamp<int64_t>(items, 1, INT32_MAX)));
}

}  // namespace lk::cuda
