#include "packing/words.h"

#include <algorithm>
#include <cstring>

namespace lk::cpu {
namespace {

constexpr int64_t kColumns = PanelLayout::kColumns;
constexpr int64_t kDepth = PanelLayout::kStepDepth;
// Steps of 32 rows that are put in the panel's order together.
constexpr int64_t kTogether = 64;

template <class T>
T load(const uint8_t* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

// Rows lie far apart, where the processor does not foresee what is read next.
void prefetch(const uint8_t* bytes, int64_t count) {
    constexpr int64_t kLine = 64;
    for (int64_t i = 0; i < count; i += kLine) __builtin_prefetch(bytes + i, 0, 2);
}
// Steps that are fetched ahead where each is elsewhere.
constexpr int64_t kAhead = 24;

// Words, or vectors of them.
typedef uint32_t Words __attribute__((vector_size(16)));

// Nibbles 0 1 2 3 to 0 2 4 6.
template <class T>
constexpr T spread(T four) {
    four = (four | four << 8) & 0x00ff00ffu;
    return (four | four << 4) & 0x0f0f0f0fu;
}

// Eight codes in their order, the first one lowest, to a word of the panel: 0 4 1 5 2 6 3 7.
template <class T>
constexpr T word_of(T codes) {
    return spread(codes & 0xffffu) | spread(codes >> 16) << 4;
}

constexpr uint32_t swap_nibbles(uint32_t bytes) {
    return (bytes & 0x0f0f0f0fu) << 4 | (bytes >> 4 & 0x0f0f0f0fu);
}

// Eight codes, one a byte, to a word of the panel.
constexpr uint32_t word_of_bytes(uint64_t codes) {
    return static_cast<uint32_t>(codes) | static_cast<uint32_t>(codes >> 32) << 4;
}

constexpr uint64_t low_nibbles(uint64_t bytes) {
    return bytes & 0x0f0f0f0f0f0f0f0fu;
}

// Of the last step of a row: the codes that are there.
constexpr uint32_t mask_of(int64_t codes) {
    return codes >= kDepth ? ~0u : (1u << 4 * codes) - 1;
}

// Neighbours share a byte, and bytes are all codes.
bool is_plain(const NibbleStorage& storage) {
    return storage.half_shift == 0 && storage.block_bytes == storage.code_bytes_per_block() &&
           storage.first_byte == 0 && storage.columns % kDepth == 0;
}

bool has_whole_steps(const NibbleStorage& storage) {
    return storage.half_shift >= 3 && storage.columns % (int64_t(1) << storage.block_shift) == 0;
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
            read_blocks(row, first, count, words);
        }
    }

  private:
    void read_plain(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        const uint8_t* const source = bytes_ + (row * storage_.columns + first * kDepth) / 2;
        prefetch(source + kTogether * kDepth / 2, kTogether * kDepth / 2);
        if (storage_.high_first) {
            for (int64_t s = 0; s < count; ++s) words[s] = word_of(swap_nibbles(load<uint32_t>(source + s * 4)));
        } else {
            for (int64_t s = 0; s < count; ++s) words[s] = word_of(load<uint32_t>(source + s * 4));
        }
        const int64_t left = in_features_ - (first + count - 1) * kDepth;
        if (left < kDepth) words[count - 1] &= word_of(mask_of(left));
    }

    // A byte of a chunk holds a code of its first half and one of its second.
    void read_blocks(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        const int64_t half = int64_t(1) << storage_.half_shift;
        const int64_t half_steps = half / kDepth;
        const int64_t end = storage_.byte_in_blocks(row * storage_.columns + (first + count) * kDepth);
        prefetch(bytes_ + end, kTogether * kDepth * storage_.block_bytes >> storage_.block_shift);
        for (int64_t s = 0; s < count; s += 2 * half_steps) {
            const uint8_t* const chunk =
                bytes_ + storage_.byte_in_blocks(row * storage_.columns + (first + s) * kDepth);
            for (int64_t i = 0; i < half_steps; ++i) {
                const auto eight = load<uint64_t>(chunk + i * kDepth);
                words[s + i] = word_of_bytes(low_nibbles(eight));
                words[s + half_steps + i] = word_of_bytes(low_nibbles(eight >> 4));
            }
        }
    }

    // Numbers of one nibble of each byte; a row may begin in the first half and end in the second.
    void read_half(int64_t row, int64_t first, int64_t count, uint32_t* words) const {
        const int64_t half = storage_.size() / 2;
        const int64_t end = row * storage_.columns + (first + count) * kDepth;
        prefetch(bytes_ + (end < half ? end : end - half), kTogether * kDepth);
        for (int64_t s = 0; s < count; ++s) {
            const int64_t index = row * storage_.columns + (first + s) * kDepth;
            const int64_t codes = std::min(kDepth, in_features_ - (first + s) * kDepth);
            uint64_t eight = 0;
            if (codes == kDepth && (index >= half || index + kDepth <= half)) {
                eight = index < half ? load<uint64_t>(bytes_ + index) >> 4 : load<uint64_t>(bytes_ + index - half);
            } else {
                for (int64_t i = 0; i < codes; ++i) {
                    const NibblePlace place = storage_.place(row, (first + s) * kDepth + i);
                    eight |= uint64_t(bytes_[place.byte] >> place.shift & 15) << 8 * i;
                }
            }
            words[s] = word_of_bytes(low_nibbles(eight));
        }
    }

    const NibbleStorage& storage_;
    const uint8_t* bytes_;
    int64_t in_features_;
};

// Some steps of a panel.
struct Piece {
    const PanelLayout& layout;
    int64_t panel;
    int64_t first;
    int64_t count;

    int64_t first_row() const { return panel * kColumns; }
    int64_t columns() const { return layout.columns(panel); }
};

void pack_rows(const Rows& rows, const Piece& piece, uint8_t* packed) {
    const int64_t columns = piece.columns();
    uint32_t words[kColumns][kTogether];
    uint32_t ordered[kTogether * kColumns];
    for (int64_t c = 0; c < columns; ++c) rows.read(piece.first_row() + c, piece.first, piece.count, words[c]);
    for (int64_t s = 0; s < piece.count; ++s) {
        for (int64_t c = 0; c < columns; ++c) ordered[s * columns + c] = words[c][s];
    }
    std::memcpy(packed, ordered, size_t(piece.count * columns) * sizeof *ordered);
}

// Words of eight k lie as in the panel, for all rows.
void pack_column_words(const uint8_t* data, const Piece& piece, uint8_t* packed) {
    const int64_t columns = piece.columns();
    for (int64_t s = 0; s < piece.count; ++s) {
        const int64_t first = (piece.first + s) * piece.layout.out_features + piece.first_row();
        prefetch(data + (first + kAhead * piece.layout.out_features) * 4, columns * 4);
        uint32_t words[kColumns];
        for (int64_t c = 0; c < columns; ++c) words[c] = word_of(load<uint32_t>(data + (first + c) * 4));
        std::memcpy(packed + s * columns * 4, words, size_t(columns) * sizeof *words);
    }
}

// The same, from k in another order.
void gather_column_words(const uint8_t* data, const int32_t* order, const Piece& piece, uint8_t* packed) {
    const int64_t columns = piece.columns();
    for (int64_t s = 0; s < piece.count; ++s) {
        uint32_t codes[kColumns] = {};
        const int64_t first_k = (piece.first + s) * kDepth;
        for (int64_t i = 0; i < std::min(kDepth, piece.layout.in_features - first_k); ++i) {
            const int64_t k = order[first_k + i];
            const uint8_t* const source = data + (k / kDepth * piece.layout.out_features + piece.first_row()) * 4;
            const auto shift = uint32_t(k % kDepth * 4);
            for (int64_t c = 0; c < columns; ++c) codes[c] |= (load<uint32_t>(source + c * 4) >> shift & 15) << 4 * i;
        }
        for (int64_t c = 0; c < columns; ++c) codes[c] = word_of(codes[c]);
        std::memcpy(packed + s * columns * 4, codes, size_t(columns) * sizeof *codes);
    }
}

// Exchanges the nibbles above the diagonal of a matrix of 2 x 2 groups of nibbles with those below it.
void exchange(Words& upper, Words& lower, int shift, uint32_t mask) {
    const Words difference = (upper >> shift ^ lower) & mask;
    lower ^= difference;
    upper ^= difference << shift;
}

// rows[i] nibble j to rows[j] nibble i, in each lane.
void transpose(Words (&rows)[kDepth]) {
    for (int i = 0; i < 4; ++i) exchange(rows[i], rows[i + 4], 16, 0x0000ffffu);
    for (const int i : {0, 1, 4, 5}) exchange(rows[i], rows[i + 2], 8, 0x00ff00ffu);
    for (const int i : {0, 2, 4, 6}) exchange(rows[i], rows[i + 1], 4, 0x0f0f0f0fu);
}

// Words of eight rows, one for each k.
void pack_row_words(const NibbleStorage& storage, const uint8_t* data, const Piece& piece, uint8_t* packed) {
    const int64_t columns = piece.columns();
    const int64_t words_of_k = storage.rows / NibbleStorage::kWordNibbles;
    for (int64_t s = 0; s < piece.count; ++s) {
        const int64_t first_k = (piece.first + s) * kDepth;
        const int64_t depth = std::min(kDepth, piece.layout.in_features - first_k);
        const int64_t first = first_k * words_of_k + piece.first_row() / NibbleStorage::kWordNibbles;
        for (int64_t k = 0; k < depth; ++k) prefetch(data + (first + (k + kDepth * 3) * words_of_k) * 4, 1);
        // A lane has eight rows.
        Words codes[kDepth] = {};
        for (int64_t k = 0; k < depth; ++k) {
            std::memcpy(&codes[k], data + (first + k * words_of_k) * 4, size_t(columns / 2));
        }
        transpose(codes);
        uint32_t words[kColumns];
        for (int row = 0; row < NibbleStorage::kWordNibbles; ++row) {
            const Words ordered = word_of(codes[storage.interleaved ? row % 2 * 4 + row / 2 : row]);
            for (int lane = 0; lane < 4; ++lane) words[lane * NibbleStorage::kWordNibbles + row] = ordered[lane];
        }
        std::memcpy(packed + s * columns * 4, words, size_t(columns) * sizeof *words);
    }
}

bool can_pack(const NibbleStorage& storage, bool in_order) {
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

}  // namespace

bool pack_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, const int32_t* order,
                int64_t begin, int64_t end, uint8_t* packed) {
    if (!can_pack(storage, order == nullptr)) return false;
    const auto* const bytes = static_cast<const uint8_t*>(data);
    const Rows rows(storage, data, layout.in_features);
    for (int64_t first = 0; first < layout.steps(); first += kTogether) {
        for (int64_t panel = begin; panel < end; ++panel) {
            const Piece piece{layout, panel, first, std::min(kTogether, layout.steps() - first)};
            uint8_t* const out = packed + layout.word_offset(panel, first, 0);
            if (storage.order == NibbleOrder::row_words) {
                pack_row_words(storage, bytes, piece, out);
            } else if (storage.order != NibbleOrder::column_words) {
                pack_rows(rows, piece, out);
            } else if (order == nullptr) {
                pack_column_words(bytes, piece, out);
            } else {
                gather_column_words(bytes, order, piece, out);
            }
        }
    }
    return true;
}

bool pack_zero_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, int64_t panel,
                     uint8_t* packed) {
    if (storage.order != NibbleOrder::row_words && storage.order != NibbleOrder::row_words_by_row) return false;
    const auto* const bytes = static_cast<const uint8_t*>(data);
    const int64_t columns = layout.columns(panel);
    const int64_t words = divide_up(columns, NibbleStorage::kWordNibbles);
    const int64_t first = panel * kColumns / NibbleStorage::kWordNibbles;
    const bool by_row = storage.order == NibbleOrder::row_words_by_row;
    for (int64_t group = 0; group < layout.units_per_row(); ++group) {
        uint32_t ordered[kColumns / NibbleStorage::kWordNibbles];
        for (int64_t w = 0; w < words; ++w) {
            const int64_t index = by_row ? (first + w) * storage.columns + group
                                         : group * (storage.rows / NibbleStorage::kWordNibbles) + first + w;
            const auto word = load<uint32_t>(bytes + index * NibbleStorage::kWordBytes);
            // The order of the words whose rows are interleaved is the one that words of the panel undo.
            ordered[w] = storage.interleaved ? word_of(word) : word;
        }
        std::memcpy(packed + layout.zero_points_offset(panel, group), ordered, size_t(divide_up(columns, 2)));
    }
    return true;
}

}  // namespace lk::cpu
