#include "formats/nibbles.h"

#include <algorithm>

namespace lk {
namespace {

// Calls visit(byte, k, other_k) for the bytes of k in [0, count) of a row: k in its first nibble, other_k in the other
// one. Outside of the row they are negative or beyond count.
template <class Byte, class Visit>
void for_each_byte(const NibbleStorage& storage, Byte* bytes, int64_t row, int64_t count, const Visit& visit) {
    const int64_t half = int64_t(1) << storage.half_shift;
    const int64_t block = int64_t(1) << storage.block_shift;
    const int64_t begin = row * storage.columns;
    // Blocks without anything else in them are one run of codes.
    const bool dense = storage.block_bytes == storage.code_bytes_per_block();
    for (int64_t k = -(begin & (2 * half - 1)); k < count;) {
        Byte* chunk = bytes + storage.byte_in_blocks(begin + k);
        const int64_t end = dense ? count : std::min(count, ((begin + k) / block + 1) * block - begin);
        for (; k < end; k += 2 * half, chunk += half) {
            for (int64_t j = 0; j < half; ++j) visit(chunk[j], k + j, k + half + j);
        }
    }
}

// Calls visit(byte, shift, column) for the first `count` columns of a row, where they do not lie in blocks.
template <class Byte, class Visit>
void for_each_nibble(const NibbleStorage& storage, Byte* bytes, int64_t row, int64_t count, const Visit& visit) {
    // Columns that lie evenly apart in one nibble.
    const auto run = [&](int64_t first, int64_t end, int64_t step, int64_t apart) {
        if (first >= end) return;
        const NibblePlace place = storage.place(row, first);
        Byte* byte = bytes + place.byte;
        for (int64_t column = first; column < end; column += step, byte += apart) visit(*byte, place.shift, column);
    };
    switch (storage.order) {
        case NibbleOrder::column_words:
            for (int64_t slot = 0; slot < NibbleStorage::kWordNibbles; ++slot) {
                run(slot, count, NibbleStorage::kWordNibbles, storage.rows * NibbleStorage::kWordBytes);
            }
            return;
        case NibbleOrder::row_words:
            return run(0, count, 1, storage.rows / 2);
        case NibbleOrder::row_words_by_row:
            return run(0, count, 1, NibbleStorage::kWordBytes);
        case NibbleOrder::halves: {
            const int64_t left = storage.size() / 2 - row * storage.columns;
            const int64_t middle = std::clamp(left, int64_t(0), count);
            run(0, middle, 1, 1);
            return run(middle, count, 1, 1);
        }
        case NibbleOrder::blocks:
            break;
    }
}

void set(uint8_t& byte, int shift, uint8_t value) {
    byte = static_cast<uint8_t>((byte & 0xf0 >> shift) | value << shift);
}

}  // namespace

void read_nibbles(const NibbleStorage& storage, const void* data, int64_t row, int64_t count, uint8_t* out) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    if (storage.order != NibbleOrder::blocks) {
        return for_each_nibble(storage, bytes, row, count,
                               [&](uint8_t byte, int shift, int64_t k) { out[k] = byte >> shift & 15; });
    }
    const int first = storage.high_first ? 4 : 0;
    for_each_byte(storage, bytes, row, count, [&](uint8_t byte, int64_t k, int64_t other_k) {
        if (k >= 0) out[k] = byte >> first & 15;
        if (other_k < count) out[other_k] = byte >> (4 - first) & 15;
    });
}

void write_nibbles(const NibbleStorage& storage, void* data, int64_t row, int64_t count, const uint8_t* in) {
    auto* bytes = static_cast<uint8_t*>(data);
    if (storage.order != NibbleOrder::blocks) {
        return for_each_nibble(storage, bytes, row, count,
                               [&](uint8_t& byte, int shift, int64_t k) { set(byte, shift, in[k]); });
    }
    const int first = storage.high_first ? 4 : 0;
    for_each_byte(storage, bytes, row, count, [&](uint8_t& byte, int64_t k, int64_t other_k) {
        if (k >= 0) set(byte, first, in[k]);
        if (other_k < count) set(byte, 4 - first, in[other_k]);
    });
}

}  // namespace lk
