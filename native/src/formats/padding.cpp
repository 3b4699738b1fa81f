#include <algorithm>

#include "core/memory.h"
#include "formats/format.h"

namespace lk {
namespace {

// Calls visit(byte, shift) for the nibbles of stored rows and columns that the matrix [rows, columns] does not have,
// and for the one behind an odd number of them.
template <class Visit>
void for_each_padding(const NibbleStorage& storage, void* data, int64_t rows, int64_t columns, const Visit& visit) {
    const auto visit_place = [&](const NibblePlace& place) {
        visit(static_cast<uint8_t*>(data)[place.byte], place.shift);
    };
    for (int64_t row = columns == storage.columns ? rows : 0; row < storage.rows; ++row) {
        for (int64_t k = row < rows ? columns : 0; k < storage.columns; ++k) visit_place(storage.place(row, k));
    }
    if (storage.size() % 2 != 0) visit_place(storage.place(0, storage.size()));
}

template <class Visit>
void for_each_padding(const Format& format, const lk_weight_tensors& t, const Visit& visit) {
    const Storage storage = format.storage(t);
    for_each_padding(storage.codes, t.codes.data, t.out_features, t.in_features, visit);
    if (format.codec(t).offset_kind != OffsetKind::zero_point) return;
    for_each_padding(storage.zero_points, t.zero_points.data, t.out_features, divide_up(t.in_features, t.group_size),
                     visit);
}

}  // namespace

std::vector<uint8_t> read_padding(const Format& format, const lk_weight_tensors& tensors) {
    std::vector<uint8_t> padding;
    for_each_padding(format, tensors, [&](uint8_t byte, int shift) { padding.push_back(byte >> shift & 15); });
    if (std::all_of(padding.begin(), padding.end(), [](uint8_t nibble) { return nibble == 0; })) return {};
    return padding;
}

void write_padding(const Format& format, const lk_weight_tensors& tensors, const std::vector<uint8_t>& padding) {
    auto next = padding.begin();
    for_each_padding(format, tensors, [&](uint8_t& byte, int shift) {
        const uint8_t nibble = padding.empty() ? uint8_t{0} : *next++;
        byte = static_cast<uint8_t>((byte & 0xf0 >> shift) | nibble << shift);
    });
}

}  // namespace lk
