// What the tensor copies know of a tensor: CUDA's CUtensorMap, readable.
#pragma once

#include <cstdint>

namespace lk::emulated {

struct alignas(64) TensorMap {
    void* data;
    uint32_t rank;           // 1 … 5
    uint32_t element_bytes;  // 1, 2, 4, 8
    uint64_t extents[5];     // in elements, the fastest dimension first
    uint64_t strides[5];     // in bytes; strides[0] is element_bytes
    uint32_t box[5];         // in elements
    uint32_t swizzle_bytes;  // 0 (none), 32, 64, 128
    uint64_t context;        // whose memory it describes
};

}  // namespace lk::emulated
