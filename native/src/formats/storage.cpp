#include "formats/storage.h"

#include <algorithm>

#include "formats/format.h"

namespace lk {
namespace {

// Calls visit(byte, k, other_k) for the bytes of k in [0, count) of a row: k in its first nibble, other_k in the other
// one. Outside of the row they are negative or beyond count.
template <class Byte, class Visit>
void for_each_byte(const CodeStorage& storage, Byte* bytes, int64_t row, int64_t count, const Visit& visit) {
    const int64_t half = int64_t(1) << storage.half_shift;
    const int64_t block = int64_t(1) << storage.block_shift;
    const int64_t begin = row * storage.row_weights;
    // Blocks without anything else in them are one run of codes.
    const bool dense = storage.block_bytes == storage.code_bytes_per_block();
    for (int64_t k = -(begin & (2 * half - 1)); k < count;) {
        Byte* chunk = bytes + storage.byte_of(begin + k);
        const int64_t end = dense ? count : std::min(count, ((begin + k) / block + 1) * block - begin);
        for (; k < end; k += 2 * half, chunk += half) {
            for (int64_t j = 0; j < half; ++j) visit(chunk[j], k + j, k + half + j);
        }
    }
}

}  // namespace

void read_codes(const Format& format, const lk_weight_tensors& tensors, int64_t row, uint8_t* codes) {
    const CodeStorage storage = format.storage(tensors).codes;
    const int64_t count = tensors.in_features;
    const int first = storage.high_first ? 4 : 0;
    for_each_byte(storage, static_cast<const uint8_t*>(tensors.codes.data), row, count,
                  [&](uint8_t byte, int64_t k, int64_t other_k) {
                      if (k >= 0) codes[k] = byte >> first & 15;
                      if (other_k < count) codes[other_k] = byte >> (4 - first) & 15;
                  });
}

void write_codes(const Format& format, const lk_weight_tensors& tensors, int64_t row, const uint8_t* codes) {
    const CodeStorage storage = format.storage(tensors).codes;
    const int64_t count = tensors.in_features;
    const int first = storage.high_first ? 4 : 0;
    const auto set = [](uint8_t& byte, int shift, uint8_t code) {
        byte = static_cast<uint8_t>((byte & 0xf0 >> shift) | code << shift);
    };
    for_each_byte(storage, static_cast<uint8_t*>(tensors.codes.data), row, count,
                  [&](uint8_t& byte, int64_t k, int64_t other_k) {
                      if (k >= 0) set(byte, first, codes[k]);
                      if (other_k < count) set(byte, 4 - first, codes[other_k]);
                  });
}

uint8_t* unit_at(const Format& format, const lk_weight_tensors& tensors, int64_t unit) {
    const Storage storage = format.storage(tensors);
    void* const first = storage.units_among_codes ? tensors.codes.data : tensors.scales.data;
    return static_cast<uint8_t*>(first) + unit * storage.unit_stride;
}

}  // namespace lk
