// The scales of some spans of a panel, and what is added behind them, as fp32 for each column: the one place where the
// vector paths know how scales are stored.
#pragma once

#include "linear/simd/integer_table.h"
#include "linear/simd/numbers.h"
#include "linear/simd/spans.h"

namespace lk::cpu {
namespace {

constexpr int64_t kColumns = PanelLayout::kColumns;
// How far ahead of their use units are asked for. Lines come in pairs.
constexpr int64_t kScalesAhead = 2048;
constexpr int64_t kLinePair = 128;

// y[c] += scales[span][c] * (product of the span's values) + addends[span][c] * (sum of the span's x).
struct alignas(64) SpanScales {
    float scales[kChunkSpans][kColumns];
    float addends[kChunkSpans][kColumns];
};

// What lies in memory for each column of a panel, `Bytes` bytes at most: zeros follow where there are fewer columns.
template <int64_t Bytes>
struct PaddedColumns {
    const uint8_t* operator()(const uint8_t* columns, int64_t bytes, int64_t whole) {
        if (bytes == whole) return columns;
        std::memset(copy, 0, sizeof copy);
        std::memcpy(copy, columns, size_t(bytes));
        return copy;
    }
    alignas(64) uint8_t copy[Bytes];
};

// The units and zero points of a panel: [unit][column].
struct PanelUnits {
    PanelUnits(const lk_weight& of, int64_t number)
        : weight(of),
          panel(number),
          columns(of.layout.columns(number)),
          unit_bytes(of.codec.unit_bytes()),
          first(of.scales() + number * kColumns * of.layout.units_per_row() * unit_bytes) {}

    const lk_weight& weight;
    int64_t panel;
    int64_t columns;
    int64_t unit_bytes;
    const uint8_t* first;
};

template <class T>
inline const T* as(const uint8_t* bytes) {
    return reinterpret_cast<const T*>(bytes);
}

// Scales of type T.
template <class T>
inline void read_numbers(const uint8_t* units, float* scales) {
    for (int64_t c = 0; c < kColumns; c += kLanes) store(scales + c, load_numbers(as<T>(units) + c));
}
// With zeros or minimums of that type behind each, those as addends.
template <class T>
inline void read_pairs(const uint8_t* units, float* scales, float* addends) {
    for (int64_t c = 0; c < kColumns; c += kLanes) {
        Floats scale, addend;
        load_pairs(as<T>(units) + 2 * c, scale, addend);
        store(scales + c, scale);
        store(addends + c, addend);
    }
}

// A panel's k_quant units taken apart, for their eight groups: as formats/scale.h has it.
struct KQuantUnits {
    static constexpr int64_t kRegisters = kColumns / kLanes;
    Floats d[kRegisters];
    Floats minus_dmin[kRegisters];
    Ints words[kRegisters][3];  // scales of groups 0 ... 3, minimums of these, the other groups'

    void read(const uint8_t* units) {
        for (int64_t i = 0; i < kRegisters; ++i) {
            Ints unit[4];
            load_columns_of_four(units + i * kLanes * 16, unit);
            d[i] = low_halves(unit[0]);
            minus_dmin[i] = multiply(low_halves(shift_right<16>(unit[0])), splat(-1.0f));
            for (int w = 0; w < 3; ++w) words[i][w] = unit[1 + w];
        }
    }
    // For each group d * scale, and what belongs to values around the center: center * d * scale - dmin * minimum.
    void put(float center, float (*scales)[kColumns], float (*addends)[kColumns]) const {
        for (int64_t i = 0; i < kRegisters; ++i) {
            // A byte for each of four groups.
            const Ints six = splat(0x3f3f3f3f), four = splat(0x0f0f0f0f), top = splat(0x30303030);
            const Ints low_scales = bit_and(words[i][0], six), low_minimums = bit_and(words[i][1], six);
            const Ints high_scales = bit_or(bit_and(words[i][2], four), bit_and(shift_right<2>(words[i][0]), top));
            const Ints high_minimums =
                bit_or(bit_and(shift_right<4>(words[i][2]), four), bit_and(shift_right<2>(words[i][1]), top));
            put_four<0>(low_scales, low_minimums, i, center, scales, addends);
            put_four<4>(high_scales, high_minimums, i, center, scales, addends);
        }
    }

  private:
    template <int First>
    void put_four(Ints s, Ints m, int64_t i, float center, float (*scales)[kColumns],
                  float (*addends)[kColumns]) const {
        put_group<First, 0>(s, m, i, center, scales, addends);
        put_group<First, 1>(s, m, i, center, scales, addends);
        put_group<First, 2>(s, m, i, center, scales, addends);
        put_group<First, 3>(s, m, i, center, scales, addends);
    }
    template <int First, int Byte>
    void put_group(Ints s, Ints m, int64_t i, float center, float (*scales)[kColumns],
                   float (*addends)[kColumns]) const {
        const Floats scale = multiply(d[i], to_floats(byte_of<Byte>(s)));
        const Floats minimum = multiply(minus_dmin[i], to_floats(byte_of<Byte>(m)));
        store(scales[First + Byte] + i * kLanes, scale);
        store(addends[First + Byte] + i * kLanes, multiply_add(splat(center), scale, minimum));
    }
    template <int Byte>
    static Ints byte_of(Ints words) {
        if constexpr (Byte == 3) return shift_right<24>(words);
        return bit_and(shift_right<8 * Byte>(words), splat(255));
    }
};

inline void read_nested(const PanelUnits& panel, int64_t unit_of_row, const uint8_t* units, float* out) {
    const lk_weight& weight = panel.weight;
    const int64_t units_per_row = weight.layout.units_per_row();
    const int64_t first = panel.panel * kColumns * units_per_row + unit_of_row;
    int32_t outer_groups[kColumns];
    for (int64_t c = 0; c < kColumns; ++c) {
        const int64_t unit = first + std::min(c, panel.columns - 1) * units_per_row;
        outer_groups[c] =
            int32_t(weight.outer_shift >= 0 ? unit >> weight.outer_shift : unit / weight.tensors.outer_group_size);
    }
    const Floats offset = splat(weight.tensors.outer_offset);
    for (int64_t c = 0; c < kColumns; c += kLanes) {
        const Floats inner = gather(weight.outer_table(), load_bytes(units + c));
        const Floats outer = gather(weight.outer_scales(), load_bits(outer_groups + c));
        store(out + c, add_floats(multiply(inner, outer), offset));
    }
}

inline void read_e8m0(const uint8_t* units, float* out) {
    for (int64_t c = 0; c < kColumns; c += kLanes) {
        const Ints bits = shift_left<23>(load_bytes(units + c));
        store(out + c, as_floats(larger(bits, splat(0x00400000))));  // 0 means 2^-127
    }
}

inline void read_e4m3(const Codec& codec, const uint8_t* units, float* out) {
    const Floats tensor_scale = splat(codec.tensor_scale);
    for (int64_t c = 0; c < kColumns; c += kLanes) {
        const Floats scale = multiply(as_floats(shift_left<20>(load_bytes(units + c))), splat(0x1p120f));
        store(out + c, codec.tensor_scale_divides ? divide(scale, tensor_scale) : multiply(scale, tensor_scale));
    }
}

// What is stored of a group's offsets, as addends to products of values around the center.
inline void finish_addends(const PanelUnits& panel, int64_t group, const float* scales, float* addends) {
    const Codec& codec = panel.weight.codec;
    const Floats center = splat(center_of(codec));
    const uint8_t* zero_points = nullptr;
    PaddedColumns<kColumns / 2> padded;
    if (codec.offset_kind == OffsetKind::zero_point) {
        const int64_t offset = panel.weight.layout.zero_points_offset(panel.panel, group);
        zero_points = padded(panel.weight.zero_points() + offset, divide_up(panel.columns, 2), kColumns / 2);
    }
    for (int64_t c = 0; c < kColumns; c += kLanes) {
        const Floats scale = load(scales + c);
        if (codec.offset_kind == OffsetKind::zero_point) {
            const Ints zero = add(load_nibbles(zero_points + c / 2), splat(codec.zero_bias));
            store(addends + c, multiply(subtract_floats(center, to_floats(zero)), scale));
        } else if (codec.has_zero_units()) {
            store(addends + c, multiply(subtract_floats(center, load(addends + c)), scale));
        } else {
            store(addends + c, multiply_add(center, scale, load(addends + c)));
        }
    }
}

// Calls read(number of a unit, its bytes for kColumns columns, scales, addends) for each group of the chunk; spans that
// share a group share what was read. Columns that the panel does not have get 0.
template <class Read>
inline void read_groups(const PanelUnits& panel, const Chunk& chunk, SpanScales& out, const Read& read) {
    const Codec& codec = panel.weight.codec;
    const int64_t groups_of_unit = codec.groups_of_unit();
    const int64_t bytes = panel.columns * panel.unit_bytes;
    const bool has_offsets = codec.offset_kind != OffsetKind::none;
    PaddedColumns<kColumns * 16> padded;
    for (int64_t s = 0; s < chunk.count; ++s) {
        float* const scales = out.scales[s];
        float* const addends = out.addends[s];
        const int64_t group = chunk.spans[s].group;
        if (s > 0 && group == chunk.spans[s - 1].group) {
            std::copy_n(scales - kColumns, kColumns, scales);
            std::copy_n(addends - kColumns, kColumns, addends);
            continue;
        }
        const int64_t unit = groups_of_unit == 1 ? group : group / groups_of_unit;
        const uint8_t* const stored = panel.first + unit * bytes;
        if (groups_of_unit == 1 || group % groups_of_unit == 0) {
            for (int64_t line = 0; line < bytes; line += kLinePair) prefetch(stored + kScalesAhead + line);
        }
        read(group, padded(stored, bytes, kColumns * panel.unit_bytes), scales, addends);
        if (has_offsets) finish_addends(panel, group, scales, addends);
        for (int64_t c = panel.columns; c < kColumns; ++c) scales[c] = addends[c] = 0;
    }
}

// Chunks begin and end with units: their groups are multiples of 32 deep, and chunks of 256.
inline void read_k_quants(const PanelUnits& panel, const Chunk& chunk, SpanScales& out) {
    const float center = center_of(panel.weight.codec);
    const int64_t groups = panel.weight.codec.groups_of_unit();
    const int64_t bytes = panel.columns * panel.unit_bytes;
    PaddedColumns<kColumns * 16> padded;
    for (int64_t s = 0; s < chunk.count; s += groups) {
        const uint8_t* const stored = panel.first + chunk.spans[s].group / groups * bytes;
        for (int64_t line = 0; line < bytes; line += kLinePair) prefetch(stored + kScalesAhead + line);
        KQuantUnits units;
        units.read(padded(stored, bytes, kColumns * panel.unit_bytes));
        units.put(center, out.scales + s, out.addends + s);
    }
}

// [span][column]
struct ReadScales {
    const float* scales;
    const float* addends;
};

inline ReadScales read_spans(const PanelUnits& panel, const Chunk& chunk, SpanScales& out) {
    const Codec& codec = panel.weight.codec;
    const bool in_pairs = codec.has_zero_units() || codec.offset_kind == OffsetKind::minimum;
    const auto read_all = [&](const auto& read) { read_groups(panel, chunk, out, read); };
    const auto read_stored = [&]<class T>(T*) {
        if (in_pairs) {
            read_all([](int64_t, const uint8_t* units, float* s, float* a) { read_pairs<T>(units, s, a); });
        } else {
            read_all([](int64_t, const uint8_t* units, float* s, float*) { read_numbers<T>(units, s); });
        }
    };
    switch (codec.scale_kind) {
        case ScaleKind::f16:
            read_stored(static_cast<Half*>(nullptr));
            break;
        case ScaleKind::bf16:
            read_stored(static_cast<BFloat16*>(nullptr));
            break;
        case ScaleKind::f32:
            read_stored(static_cast<float*>(nullptr));
            break;
        case ScaleKind::e8m0:
            read_all([](int64_t, const uint8_t* units, float* s, float*) { read_e8m0(units, s); });
            break;
        case ScaleKind::e4m3:
            read_all([&](int64_t, const uint8_t* units, float* s, float*) { read_e4m3(codec, units, s); });
            break;
        case ScaleKind::k_quant:
            read_k_quants(panel, chunk, out);
            break;
        case ScaleKind::nested:
            read_all([&](int64_t unit, const uint8_t* units, float* s, float*) { read_nested(panel, unit, units, s); });
            break;
    }
    return {out.scales[0], out.addends[0]};
}

}  // namespace
}  // namespace lk::cpu
