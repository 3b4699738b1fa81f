#include "packing/zero_words.h"

#include <cstring>

#include "packing/word.h"

namespace lk::cpu::packing {

bool pack_zero_words(const NibbleStorage& storage, const void* data, const PanelLayout& layout, int64_t panel,
                     uint8_t* packed) {
    if (storage.order != NibbleOrder::row_words && storage.order != NibbleOrder::row_words_by_row) return false;
    const auto* const bytes = static_cast<const uint8_t*>(data);
    const int64_t columns = layout.columns(panel);
    const int64_t words = divide_up(columns, NibbleStorage::kWordNibbles);
    const int64_t first = panel * PanelLayout::kColumns / NibbleStorage::kWordNibbles;
    const bool by_row = storage.order == NibbleOrder::row_words_by_row;
    for (int64_t group = 0; group < layout.units_per_row(); ++group) {
        uint32_t ordered[PanelLayout::kColumns / NibbleStorage::kWordNibbles];
        for (int64_t w = 0; w < words; ++w) {
            const int64_t index = by_row ? (first + w) * storage.columns + group
                                         : group * (storage.rows / NibbleStorage::kWordNibbles) + first + w;
            uint32_t word;
            std::memcpy(&word, bytes + index * NibbleStorage::kWordBytes, sizeof word);
            // The order of the words whose rows are interleaved is the one that words of the panel undo.
            ordered[w] = storage.interleaved ? word_of(word) : word;
        }
        std::memcpy(packed + layout.zero_points_offset(panel, group), ordered, size_t(divide_up(columns, 2)));
    }
    return true;
}

}  // namespace lk::cpu::packing
