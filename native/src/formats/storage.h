// Where a checkpoint's bits lie, as data: for the host and for kernels.
#pragma once

#include <cstdint>

namespace lk {

// Four bits of a byte.
struct NibblePlace {
    int64_t byte;
    int shift;
};

struct NibbleIndex {
    int64_t row;
    int64_t column;
};

// The ways in which checkpoints keep a matrix of 4-bit numbers. Words have 32 bits, little endian.
enum class NibbleOrder : uint8_t {
    blocks,            // row by row, in blocks: NibbleStorage tells
    column_words,      // words [columns / 8, rows]: eight columns of a row, the first one lowest
    row_words,         // words [columns, rows / 8]: eight rows of a column
    row_words_by_row,  // words [rows / 8, columns]: eight rows of a column
    halves,            // bytes: number i in the high nibble of byte i, number i + rows * columns / 2 in its low one
};

// A matrix of 4-bit numbers: codes [N, K], or zero points [N, groups]. The number of a row and column is row * columns
// + column. Blocks may begin with other things; within a block numbers come in chunks of 2 * half, whose byte j holds
// numbers j and j + half.
struct NibbleStorage {
    static constexpr int kWordNibbles = 8;
    static constexpr int kWordBytes = 4;

    NibbleOrder order = NibbleOrder::blocks;
    int64_t rows = 0;  // as they are stored, padding included
    int64_t columns = 0;
    // Of row words: 0 2 4 6 1 3 5 7 from the lowest bits on.
    bool interleaved = false;
    // Of blocks.
    int block_shift = 1;  // log2 of the numbers of a block
    int block_bytes = 1;
    int first_byte = 0;       // in a block
    int half_shift = 0;       // log2 of half; 0: neighbours share a byte
    bool high_first = false;  // the first of two numbers in the high nibble

    constexpr int64_t size() const { return rows * columns; }

    // The byte of a number in blocks.
    constexpr int64_t byte_in_blocks(int64_t index) const {
        const int64_t in_block = index & ((int64_t(1) << block_shift) - 1);
        const int64_t in_half = index & ((int64_t(1) << half_shift) - 1);
        const int64_t chunk = in_block >> (half_shift + 1) << half_shift;
        return (index >> block_shift) * block_bytes + first_byte + chunk + in_half;
    }
    constexpr NibblePlace place(int64_t row, int64_t column) const {
        switch (order) {
            case NibbleOrder::column_words:
                return in_word(column / kWordNibbles * rows + row, int(column % kWordNibbles));
            case NibbleOrder::row_words:
                return in_word(column * (rows / kWordNibbles) + row / kWordNibbles, slot_of_row(int(row % 8)));
            case NibbleOrder::row_words_by_row:
                return in_word(row / kWordNibbles * columns + column, slot_of_row(int(row % 8)));
            case NibbleOrder::halves: {
                const int64_t index = row * columns + column, half = size() / 2;
                return index < half ? NibblePlace{index, 4} : NibblePlace{index - half, 0};
            }
            case NibbleOrder::blocks:
                break;
        }
        const int64_t index = row * columns + column;
        const bool second = (index >> half_shift & 1) != 0;
        return {byte_in_blocks(index), second != high_first ? 4 : 0};
    }

    // The other way round. Bytes are numbered without what else is in blocks: `byte` is at byte_offset(byte).
    constexpr int64_t code_bytes_per_block() const { return int64_t(1) << (block_shift - 1); }
    constexpr int64_t byte_count() const {
        if (order != NibbleOrder::blocks) return size() / 2;
        const int64_t of_block = code_bytes_per_block();
        return (size() + 2 * of_block - 1) / (2 * of_block) * of_block;
    }
    constexpr int64_t byte_offset(int64_t byte) const {
        if (order != NibbleOrder::blocks) return byte;
        return (byte >> (block_shift - 1)) * block_bytes + first_byte + (byte & (code_bytes_per_block() - 1));
    }
    // What is in a byte's low or high nibble; rows beyond the last one in the bytes that fill the last block.
    constexpr NibbleIndex at(int64_t byte, bool high) const {
        const int64_t word = byte / kWordBytes;
        const int slot = int(byte % kWordBytes) * 2 + int(high);
        switch (order) {
            case NibbleOrder::column_words:
                return {word % rows, word / rows * kWordNibbles + slot};
            case NibbleOrder::row_words: {
                const int64_t words = rows / kWordNibbles;
                return {word % words * kWordNibbles + row_of_slot(slot), word / words};
            }
            case NibbleOrder::row_words_by_row:
                return {word / columns * kWordNibbles + row_of_slot(slot), word % columns};
            case NibbleOrder::halves:
                return of_number(high ? byte : byte + size() / 2);
            case NibbleOrder::blocks:
                break;
        }
        const int64_t in_half = byte & ((int64_t(1) << half_shift) - 1);
        const int64_t first = (byte >> half_shift << (half_shift + 1)) + in_half;
        return of_number(first + (int64_t(high != high_first) << half_shift));
    }

    // Whether a byte may hold rows that are more than eight apart or do not begin at a multiple of eight.
    constexpr bool rows_share_bytes() const {
        return order == NibbleOrder::halves || (order == NibbleOrder::blocks && columns % 2 != 0);
    }

  private:
    constexpr NibblePlace in_word(int64_t word, int slot) const { return {word * kWordBytes + slot / 2, slot % 2 * 4}; }
    constexpr NibbleIndex of_number(int64_t index) const { return {index / columns, index % columns}; }
    constexpr int slot_of_row(int row) const { return interleaved ? row % 2 * 4 + row / 2 : row; }
    constexpr int row_of_slot(int slot) const { return interleaved ? slot % 4 * 2 + slot / 4 : slot; }
};

// The units of scales: numbered row by row, or by flat index where groups straddle rows.
struct UnitStorage {
    bool among_codes = false;  // at the beginning of blocks of codes; otherwise in the tensor of scales
    int64_t stride = 0;        // bytes between units, or between blocks
    int block_shift = 0;       // log2 of the units that lie together at the beginning of a block
    // Where the checkpoint has [groups, rows], not [rows, groups]: the number of rows, and of groups.
    int64_t transposed_rows = 0;
    int64_t transposed_groups = 0;

    constexpr int64_t offset(int64_t unit, int64_t unit_bytes) const {
        if (transposed_rows != 0) unit = unit % transposed_groups * transposed_rows + unit / transposed_groups;
        return (unit >> block_shift) * stride + (unit & ((int64_t(1) << block_shift) - 1)) * unit_bytes;
    }
};

struct Storage {
    NibbleStorage codes{};
    NibbleStorage zero_points{};  // of 4 bits
    UnitStorage units{};
};

}  // namespace lk
