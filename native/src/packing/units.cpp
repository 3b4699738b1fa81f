#include "packing/units.h"

#include "formats/units.h"
#include "packing/transpose.h"

namespace lk::cpu::packing {
namespace {

constexpr int64_t kColumns = PanelLayout::kColumns;

// A panel's units of Bytes bytes, [column][unit] with `stride` bytes between columns, to [unit][column].
template <class Element>
int64_t transpose_units(const uint8_t* source, int64_t stride, int64_t units, uint8_t* out) {
    typedef Element Run __attribute__((vector_size(16)));
    constexpr int kRun = sizeof(Run) / sizeof(Element);
    int64_t unit = 0;
    for (; unit + kRun <= units; unit += kRun) {
        for (int64_t c = 0; c < kColumns; c += kRun) {
            Run square[kRun];
            for (int i = 0; i < kRun; ++i) {
                std::memcpy(&square[i], source + (c + i) * stride + unit * int64_t(sizeof(Element)), sizeof(Run));
            }
            transpose(square);
            for (int i = 0; i < kRun; ++i) {
                std::memcpy(out + ((unit + i) * kColumns + c) * int64_t(sizeof(Element)), &square[i], sizeof(Run));
            }
        }
    }
    return unit;
}

// The same for as many units as there are squares of them in registers.
template <size_t Bytes>
int64_t transpose_units_of(const uint8_t* source, int64_t stride, int64_t units, uint8_t* out) {
    if constexpr (Bytes == 1) return transpose_units<uint8_t>(source, stride, units, out);
    if constexpr (Bytes == 2) return transpose_units<uint16_t>(source, stride, units, out);
    if constexpr (Bytes == 4) return transpose_units<uint32_t>(source, stride, units, out);
    return 0;
}

// Calls f.template operator()<bytes>() with the bytes of a unit that lie together: copies of a known size are a load
// and a store.
template <class F>
void with_part_bytes(const Codec& codec, const F& f) {
    switch (codec.unit_part_bytes()) {
        case 1:
            return f.template operator()<1>();
        case 2:
            return f.template operator()<2>();
        case 4:
            return f.template operator()<4>();
        default:
            return f.template operator()<16>();
    }
}

}  // namespace

void pack_units(const lk_weight_tensors& tensors, const lk_weight& weight, uint8_t* packed, int64_t panel) {
    const PanelLayout& layout = weight.layout;
    const Units units(*weight.format, weight.codec, tensors);
    const int64_t units_per_row = layout.units_per_row(), columns = layout.columns(panel);
    const int64_t unit_bytes = weight.codec.unit_bytes();
    uint8_t* out = packed + panel * kColumns * units_per_row * unit_bytes;
    with_part_bytes(weight.codec, [&]<size_t Bytes>() {
        int64_t unit = 0;
        if (columns == kColumns && units.are_rows<Bytes>()) {
            unit = transpose_units_of<Bytes>(units.row<Bytes>(panel * kColumns, units_per_row),
                                             units_per_row * int64_t(Bytes), units_per_row, out);
            out += unit * columns * unit_bytes;
        }
        for (; unit < units_per_row; ++unit) {
            for (int64_t c = 0; c < columns; ++c, out += unit_bytes) {
                units.read<Bytes>(panel * kColumns + c, unit, units_per_row, out);
            }
        }
    });
}

}  // namespace lk::cpu::packing
