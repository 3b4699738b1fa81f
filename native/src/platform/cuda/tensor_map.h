// Descriptions of matrices for the tensor copies of bulk_copy.cuh.
#pragma once

#include <cstdint>

#include "platform/cuda/api.h"

namespace lk::cuda {

using TensorMap = CUtensorMap;

// A row-major matrix (slices 1) or a stack of them in global memory, and the box that one copy moves. What a box has
// beyond the edges reads as 0 and is not written.
struct TensorLayout {
    const void* data = nullptr;  // aligned to 16 bytes
    CUtensorMapDataType type = CU_TENSOR_MAP_DATA_TYPE_UINT8;
    uint64_t columns = 0;
    uint64_t rows = 0;
    uint64_t slices = 1;
    uint64_t row_bytes = 0;    // distance of rows, a multiple of 16
    uint64_t slice_bytes = 0;  // distance of slices, a multiple of 16; unused for one slice
    uint32_t box_columns = 0;  // at most 256; with a swizzle, no more bytes than its span
    uint32_t box_rows = 0;     // at most 256
    uint32_t box_slices = 1;
    CUtensorMapSwizzle swizzle = CU_TENSOR_MAP_SWIZZLE_NONE;
    CUtensorMapL2promotion promotion = CU_TENSOR_MAP_L2_PROMOTION_L2_128B;
};

// Two-dimensional for one slice, else three-dimensional. Throws with the layout's values when CUDA refuses it.
[[nodiscard]] TensorMap make_tensor_map(const TensorLayout& layout);

}  // namespace lk::cuda
