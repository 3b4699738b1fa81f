// Where the swizzles of tensor copies and wgmma put a byte of a tile.
#pragma once

#include <cstddef>

namespace lk::conformance {

// Offset in a tile that starts at a multiple of 1024: address bits 4 … 3 + bits are xored with bits 7 … 6 + bits.
// bits 1, 2, 3: the 32-, 64- and 128-byte swizzle; 0: none. PTX ISA 5.5.6 "Swizzling Modes".
inline size_t swizzled(size_t offset, int bits) {
    const size_t mask = (size_t(1) << bits) - 1;
    return offset ^ ((offset >> 7 & mask) << 4);
}

}  // namespace lk::conformance
