// Where a checkpoint's bits lie, as data: for the host and for kernels.
#pragma once

#include <cstdint>

namespace lk {

// A code of 4 bits.
struct NibblePlace {
    int64_t byte;
    int shift;
};

// The weight of row n and k has the flat index n * row_weights + k. Weights come in blocks, in whose bytes other things
// may come first; within a block they come in chunks of 2 * half, whose byte j holds weights j and j + half.
struct CodeStorage {
    int64_t row_weights = 0;  // K, or more where rows are padded
    int block_shift = 1;      // log2 of the weights of a block
    int block_bytes = 1;
    int codes_offset = 0;     // in a block
    int half_shift = 0;       // log2 of half; 0: neighbours share a byte
    bool high_first = false;  // the first of two weights in the high nibble

    constexpr int64_t byte_of(int64_t index) const {
        const int64_t in_block = index & ((int64_t(1) << block_shift) - 1);
        const int64_t in_half = index & ((int64_t(1) << half_shift) - 1);
        const int64_t chunk = in_block >> (half_shift + 1) << half_shift;
        return (index >> block_shift) * block_bytes + codes_offset + chunk + in_half;
    }
    constexpr NibblePlace place(int64_t row, int64_t k) const {
        const int64_t index = row * row_weights + k;
        const bool second = (index >> half_shift & 1) != 0;
        return {byte_of(index), second != high_first ? 4 : 0};
    }

    constexpr int64_t code_bytes_per_block() const { return int64_t(1) << (block_shift - 1); }
    // Flat index of the first of the two weights of a byte of codes, counted without what else is in the blocks. The
    // other one is half behind.
    constexpr int64_t first_weight(int64_t code_byte) const {
        const int64_t in_half = code_byte & ((int64_t(1) << half_shift) - 1);
        return (code_byte >> half_shift << (half_shift + 1)) + in_half;
    }
};

// Codes, and units of scales in the order of their numbers.
struct Storage {
    CodeStorage codes;
    bool units_among_codes = false;  // in the tensor of codes, at the beginning of each block
    int64_t unit_stride = 0;         // bytes
};

}  // namespace lk
