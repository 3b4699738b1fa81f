// Path::pack_words by vectors as wide as the unit's registers. Everything is in an unnamed namespace: units for
// different instruction sets share no function.
#pragma once

#include <algorithm>
#include <cstring>

#include "packing/path.h"
#include "packing/transpose.h"
#include "packing/word.h"
#include "platform/cpu/streaming_store.h"
#include "platform/cpu/vector_width.h"

namespace lk::cpu::packing {
namespace {

constexpr int64_t kColumns = PanelLayout::kColumns;
constexpr int64_t kDepth = PanelLayout::kStepDepth;
// Steps of 32 rows that are put in the panel's order together.
constexpr int64_t kTogether = 128;

// As wide as the unit's registers.
typedef uint32_t Words __attribute__((vector_size(4 * kVectorWidth)));

template <class T>
inline T load(const uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

template <class T>
inline void store(void* bytes, const T& value) {
    std::memcpy(bytes, &value, sizeof value);
}

// Rows lie far apart, where the processor does not foresee what is read next.
inline void prefetch(const uint8_t* bytes, int64_t count) {
    constexpr int64_t kLine = 64;
    for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(bytes + i, 0, 2);
}
// Steps that are fetched ahead where each is elsewhere.
constexpr int64_t kAhead = 24;

template <class T>
inline T swap_nibbles(T bytes) {
    return (bytes & 0x0f0f0f0fu) << 4 | (bytes >> 4 & 0x0f0f0f0fu);
}

// Eight codes, one a byte and nothing beside it, to a word of the panel in the lower half. T is eight bytes or a vector
// of them.
template <class T>
inline T word_of_bytes(T codes) {
    return codes | codes >> 28;
}

// Those words.
typedef uint64_t TwoEights __attribute__((vector_size(16)));
typedef uint32_t TwoWords __attribute__((vector_size(8)));
inline uint32_t lower_halves(uint64_t v) {
    return uint32_t(v);
}
inline TwoWords lower_halves(TwoEights v) {
    return __builtin_convertvector(v, TwoWords);
}

template <class T>
inline T low_nibbles(T bytes) {
    return bytes & 0x0f0f0f0f0f0f0f0fu;
}

// Of the last step of a row: the codes that are there.
inline uint32_t mask_of(int64_t codes) {
    return codes >= kDepth ? ~0u : (1u << 4 * codes) - 1;
}

// Neighbours share a byte, and bytes are all codes.
inline bool is_plain(const NibbleStorage& storage) {
    return storage.half_shift == 0 && storage.block_bytes == int64_t(1) << (storage.block_shift - 1) &&
           storage.first_byte == 0 && storage.columns % kDepth == 0;
}

inline bool has_whole_steps(const NibbleStorage& storage) {
    return storage.half_shift >= 3 && int64_t(1) << storage.block_shift <= kTogether * kDepth &&
           storage.columns % (int64_t(1) << storage.block_shift) == 0;
}

// Rows of which some steps can be read at a time.
class Rows {
  public:
    Rows(const NibbleStorage& storage, const void* data, int64_t in_features)
        : storage_(storage), bytes_(static_cast<const uint8_t*>(data)), in_features_(in_features) {}

    // Steps from a multiple of kTogether on.
    void read(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        if (storage_.order == NibbleOrder::halves) {
            read_half(row, first, count, words);
        } else if (storage_.half_shift == 0) {
            read_plain(row, first, count, words);
        } else {
            storage_.half_shift > 3 ? read_blocks<TwoEights>(row, first, count, words)
                                    : read_blocks<uint64_t>(row, first, count, words);
        }
    }

  private:
    void read_plain(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        const uint8_t* const source = bytes_ + (row * storage_.columns + first * kDepth) / 2;
        prefetch(source + kTogether * kDepth / 2, kTogether * kDepth / 2);
        const auto read_words = [&]<class T>(int64_t step, T) {
            const T words_of_row = load<T>(source + step * 4);
            store(words + step, word_of(storage_.high_first ? swap_nibbles(words_of_row) : words_of_row));
        };
        int64_t step = 0;
        for (; step + kVectorWidth <= count; step += kVectorWidth) read_words(step, Words{});
        for (; step < count; ++step) read_words(step, uint32_t{});
        const int64_t left = in_features_ - (first + count - 1) * kDepth;
        if (left < kDepth) words[count - 1] &= word_of(mask_of(left));
    }

    // A byte of a chunk holds a code of its first half and one of its second. Eights: the bytes of some steps, as many
    // as a half has, or one.
    template <class Eights>
    void read_blocks(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        constexpr int kSteps = sizeof(Eights) / kDepth;
        const int64_t half_steps = (int64_t(1) << storage_.half_shift) / kDepth;
        const int64_t chunks_of_block = int64_t(1) << (storage_.block_shift - storage_.half_shift - 1);
        const int64_t block_bytes = storage_.block_bytes;
        // Pieces begin with blocks, and a row has whole ones.
        const uint8_t* block =
            bytes_ + ((row * storage_.columns + first * kDepth) >> storage_.block_shift) * block_bytes;
        prefetch(block + (count * kDepth * block_bytes >> storage_.block_shift),
                 kTogether * kDepth * block_bytes >> storage_.block_shift);
        for (uint32_t *word = words, *const end = words + count; word < end; block += block_bytes) {
            const uint8_t* codes = block + storage_.first_byte;
            for (int64_t chunk = 0; chunk < chunks_of_block; ++chunk, word += half_steps) {
                for (int64_t i = 0; i < half_steps; i += kSteps, codes += sizeof(Eights), word += kSteps) {
                    const auto eights = load<Eights>(codes);
                    store(word, lower_halves(word_of_bytes(low_nibbles(eights))));
                    store(word + half_steps, lower_halves(word_of_bytes(low_nibbles(Eights(eights >> 4)))));
                }
            }
        }
    }

    // Numbers of one nibble of each byte; a row may begin in the first half and end in the second.
    void read_half(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        const int64_t half = storage_.columns * storage_.rows / 2;
        const int64_t begin = row * storage_.columns + first * kDepth;
        const int64_t end = begin + count * kDepth;
        prefetch(bytes_ + (end < half ? end : end - half), kTogether * kDepth);
        for (int64_t s = 0; s < count; ++s) {
            const int64_t index = begin + s * kDepth;
            const int64_t codes = std::min(kDepth, in_features_ - (first + s) * kDepth);
            uint64_t eight = 0;
            if (codes == kDepth && (index >= half || index + kDepth <= half)) {
                eight = index < half ? load<uint64_t>(bytes_ + index) >> 4 : load<uint64_t>(bytes_ + index - half);
            } else {
                for (int64_t i = index; i < index + codes; ++i) {
                    eight |= uint64_t(i < half ? bytes_[i] >> 4 : bytes_[i - half] & 15) << 8 * (i - index);
                }
            }
            words[s] = uint32_t(word_of_bytes(low_nibbles(eight)));
        }
    }

    const NibbleStorage& storage_;
    const uint8_t* bytes_;
    int64_t in_features_;
};

// Some steps of a panel, or of some of them.
struct Piece {
    int64_t first_row;
    int64_t columns;  // of all of its panels
    int64_t first;    // step
    int64_t count;
    int64_t steps;  // of a row
    int64_t in_features;
    int64_t out_features;
    uint8_t* packed;  // the weight's codes

    // The words of a step from a column on, where a panel of that many columns begins. Before it are whole ones.
    uint8_t* words(int64_t step, int64_t column, int64_t columns_of_panel) const {
        return packed + ((first_row + column) * steps + (first + step) * columns_of_panel) * 4;
    }
    uint8_t* words(int64_t step) const { return words(step, 0, columns); }
};

// A step of a panel.
inline void put_words(uint8_t* packed, const uint32_t* words, int64_t columns) {
    if (columns == kColumns) {
        store_lines(packed, words, kColumns * 4);
    } else {
        std::memcpy(packed, words, size_t(columns) * sizeof *words);
    }
}

inline void pack_rows(const Rows& rows, const Piece& piece) {
    uint32_t words[kColumns][kTogether];
    for (int64_t c = 0; c < piece.columns; ++c) rows.read(piece.first_row + c, piece.first, piece.count, words[c]);
    int64_t s = 0;
    for (; s + kVectorWidth <= piece.count && piece.columns == kColumns; s += kVectorWidth) {
        alignas(64) uint32_t ordered[kVectorWidth][kColumns];
        for (int64_t c = 0; c < kColumns; c += kVectorWidth) {
            Words square[kVectorWidth];
            for (int i = 0; i < kVectorWidth; ++i) std::memcpy(&square[i], &words[c + i][s], sizeof square[i]);
            transpose(square);
            for (int i = 0; i < kVectorWidth; ++i) store(&ordered[i][c], square[i]);
        }
        store_lines(piece.words(s), ordered, sizeof ordered);
    }
    for (; s < piece.count; ++s) {
        for (int64_t c = 0; c < piece.columns; ++c) store(piece.words(s) + c * 4, words[c][s]);
    }
}

// Words of eight k lie as in the panel, for all rows.
inline void pack_column_words(const uint8_t* data, const Piece& piece) {
    const int64_t columns = piece.columns;
    for (int64_t s = 0; s < piece.count; ++s) {
        const uint8_t* const source = data + ((piece.first + s) * piece.out_features + piece.first_row) * 4;
        prefetch(source + kAhead * piece.out_features * 4, columns * 4);
        alignas(64) uint32_t words[kColumns];
        if (columns == kColumns) {
            for (int64_t c = 0; c < kColumns; c += kVectorWidth) store(words + c, word_of(load<Words>(source + c * 4)));
        } else {
            for (int64_t c = 0; c < columns; ++c) words[c] = word_of(load<uint32_t>(source + c * 4));
        }
        put_words(piece.words(s), words, columns);
    }
}

// The same, from k in another order.
inline void gather_column_words(const uint8_t* data, const int32_t* order, const Piece& piece) {
    const int64_t columns = piece.columns;
    for (int64_t s = 0; s < piece.count; ++s) {
        uint32_t codes[kColumns] = {};
        const int64_t first_k = (piece.first + s) * kDepth;
        for (int64_t i = 0; i < std::min(kDepth, piece.in_features - first_k); ++i) {
            const int64_t k = order[first_k + i];
            const uint8_t* const source = data + (k / kDepth * piece.out_features + piece.first_row) * 4;
            const auto shift = uint32_t(k % kDepth * 4);
            for (int64_t c = 0; c < columns; ++c) codes[c] |= (load<uint32_t>(source + c * 4) >> shift & 15) << 4 * i;
        }
        for (int64_t c = 0; c < columns; ++c) codes[c] = word_of(codes[c]);
        put_words(piece.words(s), codes, columns);
    }
}

// Exchanges the nibbles above the diagonal of a matrix of 2 x 2 groups of nibbles with those below it.
inline void exchange(Words& upper, Words& lower, int shift, uint32_t mask) {
    const Words difference = (upper >> shift ^ lower) & mask;
    lower ^= difference;
    upper ^= difference << shift;
}

// rows[i] nibble j to rows[j] nibble i, in each lane.
inline void transpose_nibbles(Words (&rows)[kDepth]) {
    for (int i = 0; i < 4; ++i) exchange(rows[i], rows[i + 4], 16, 0x0000ffffu);
    for (const int i : {0, 1, 4, 5}) exchange(rows[i], rows[i + 2], 8, 0x00ff00ffu);
    for (const int i : {0, 2, 4, 6}) exchange(rows[i], rows[i + 1], 4, 0x0f0f0f0fu);
}

// Panels whose words of eight rows are a register for each k.
constexpr int64_t kPanelsOfRegister = kVectorWidth * NibbleStorage::kWordNibbles / kColumns;

// Words of eight rows, one for each k, of up to kPanelsOfRegister panels.
inline void pack_row_words(const NibbleStorage& storage, const uint8_t* data, const Piece& piece) {
    constexpr int kRows = NibbleStorage::kWordNibbles;
    const int64_t words_of_k = storage.rows / kRows;
    const size_t bytes = size_t(piece.columns / 2);
    for (int64_t s = 0; s < piece.count; ++s) {
        const int64_t first_k = (piece.first + s) * kDepth;
        const int64_t depth = std::min(kDepth, piece.in_features - first_k);
        const uint8_t* const source = data + (first_k * words_of_k + piece.first_row / kRows) * 4;
        Words codes[kDepth] = {};
        for (int64_t k = 0; k < depth; ++k) {
            const uint8_t* const of_k = source + k * words_of_k * 4;
            prefetch(of_k + kDepth * 3 * words_of_k * 4, 1);
            if (bytes == sizeof(Words)) {
                codes[k] = load<Words>(of_k);
            } else {
                std::memcpy(&codes[k], of_k, bytes);
            }
        }
        transpose_nibbles(codes);
        Words ordered[kRows];
        for (int row = 0; row < kRows; ++row) {
            ordered[row] = word_of(codes[storage.interleaved ? row % 2 * 4 + row / 2 : row]);
        }
        transpose(ordered);
        alignas(64) uint32_t words[kRows * kVectorWidth];
        for (int i = 0; i < kRows; ++i) store(words + i * kVectorWidth, ordered[i]);
        for (int64_t column = 0; column < piece.columns; column += kColumns) {
            const int64_t columns = std::min(kColumns, piece.columns - column);
            put_words(piece.words(s, column, columns), words + column, columns);
        }
    }
}

inline bool can_pack(const NibbleStorage& storage, bool in_order) {
    switch (storage.order) {
        case NibbleOrder::column_words:
            return true;
        case NibbleOrder::row_words:
        case NibbleOrder::halves:
            return in_order;
        case NibbleOrder::row_words_by_row:
            return false;
        case NibbleOrder::blocks:
            break;
    }
    return in_order && (is_plain(storage) || has_whole_steps(storage));
}

bool pack_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, const int32_t* order,
                int64_t begin, int64_t end, uint8_t* packed) {
    if (!can_pack(storage, order == nullptr)) return false;
    const auto* const bytes = static_cast<const uint8_t*>(data);
    const Rows rows(storage, data, layout.in_features);
    const int64_t steps = (layout.in_features + kDepth - 1) / kDepth;
    const auto pack_piece = [&](int64_t panel, int64_t panels, int64_t first) {
        const int64_t first_row = panel * kColumns;
        const Piece piece{.first_row = first_row,
                          .columns = std::min(panels * kColumns, layout.out_features - first_row),
                          .first = first,
                          .count = std::min(kTogether, steps - first),
                          .steps = steps,
                          .in_features = layout.in_features,
                          .out_features = layout.out_features,
                          .packed = packed};
        if (storage.order == NibbleOrder::row_words) {
            pack_row_words(storage, bytes, piece);
        } else if (storage.order != NibbleOrder::column_words) {
            pack_rows(rows, piece);
        } else if (order == nullptr) {
            pack_column_words(bytes, piece);
        } else {
            gather_column_words(bytes, order, piece);
        }
    };
    if (storage.order == NibbleOrder::column_words || storage.order == NibbleOrder::row_words) {
        const int64_t panels = storage.order == NibbleOrder::row_words ? kPanelsOfRegister : 1;
        for (int64_t first = 0; first < steps; first += kTogether) {
            for (int64_t panel = begin; panel < end; panel += panels) {
                pack_piece(panel, std::min(panels, end - panel), first);
            }
        }
    } else {
        for (int64_t panel = begin; panel < end; ++panel) {
            for (int64_t first = 0; first < steps; first += kTogether) pack_piece(panel, 1, first);
        }
    }
    finish_stores();
    return true;
}

constexpr Path path() {
    return {.pack_words = pack_words};
}

}  // namespace
}  // namespace lk::cpu::packing
