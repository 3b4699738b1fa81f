// The boxes that the copy engine moves. Bulk copies are boxes of bytes in a tensor of one dimension.
#pragma once

#include <cstdint>

#include "platform/cuda_emulated/tensor_map.h"

namespace lk::emulated {

// The tensor of a bulk copy: `bytes` bytes in one row.
TensorMap bytes_map(const void* global, uint32_t bytes);

uint32_t box_bytes(const TensorMap& map);

// How box destinations in shared memory must be aligned: swizzles repeat after 8 rows.
uint32_t box_alignment(const TensorMap& map);

// Calls visit(offset in the box, row in global memory, first byte inside, bytes inside, bytes of the row): rows of the
// box in the order in which shared memory holds them, unswizzled. Bytes outside of the tensor are those before and
// behind; none are inside if the row lies outside.
template <class Visit>
inline void visit_box_rows(const TensorMap& map, const int32_t (&corner)[3], Visit visit) {
    const int64_t row_bytes = int64_t(map.box[0]) * map.element_bytes;
    const int64_t begin = int64_t(corner[0]) * map.element_bytes;
    const int64_t end = int64_t(map.extents[0]) * map.element_bytes;
    const int64_t first = begin < 0 ? -begin : 0;
    const int64_t last = begin + row_bytes > end ? end - begin : row_bytes;
    const uint32_t rows = map.rank > 1 ? map.box[1] : 1;
    const uint32_t slices = map.rank > 2 ? map.box[2] : 1;
    uint32_t offset = 0;
    for (uint32_t z = 0; z < slices; ++z) {
        for (uint32_t y = 0; y < rows; ++y, offset += uint32_t(row_bytes)) {
            const int64_t row = map.rank > 1 ? int64_t(corner[1]) + y : 0;
            const int64_t slice = map.rank > 2 ? int64_t(corner[2]) + z : 0;
            const bool outside = (map.rank > 1 && (row < 0 || row >= int64_t(map.extents[1]))) ||
                                 (map.rank > 2 && (slice < 0 || slice >= int64_t(map.extents[2]))) || first >= last;
            char* const global = static_cast<char*>(map.data) + begin +
                                 (map.rank > 1 ? row * int64_t(map.strides[1]) : 0) +
                                 (map.rank > 2 ? slice * int64_t(map.strides[2]) : 0);
            const auto inside = outside ? int64_t(0) : last - first;
            visit(offset, global, uint32_t(outside ? 0 : first), uint32_t(inside), uint32_t(row_bytes));
        }
    }
}

// Where byte `offset` of a box lies whose destination is at `address` of shared memory: bits 4… of the address are
// xored with bits 7….
inline uint32_t swizzled(const TensorMap& map, uint32_t address) {
    switch (map.swizzle_bytes) {
        case 32:
            return address ^ (address >> 3 & 0x10);
        case 64:
            return address ^ (address >> 3 & 0x30);
        case 128:
            return address ^ (address >> 3 & 0x70);
        default:
            return address;
    }
}

}  // namespace lk::emulated
