// The scales of some spans of a panel, and what is added behind them, as fp32 for each column: the one place where the
// vector paths know how scales are stored. Loops run over columns, without branches, for the compiler to vectorise.
#pragma once

#include "linear/simd/integer_table.h"
#include "linear/simd/spans.h"
#include "packing/decode.h"
#include "platform/cpu/simd.h"

namespace lk::cpu {
namespace {

constexpr int64_t kColumns = PanelLayout::kColumns;
// How far ahead of their use units are asked for.
constexpr int64_t kScalesAhead = 2048;

// y[c] += scales[span][c] * (product of the span's values) + addends[span][c] * (sum of the span's x).
struct alignas(64) SpanScales {
    float scales[kChunkSpans][kColumns];
    float addends[kChunkSpans][kColumns];
};

// A panel's units of one place in k: [column], unit_bytes apart.
struct UnitRow {
    const uint8_t* bytes;
    int64_t columns;
    int64_t panel;
    int64_t unit_of_row;
};

inline UnitRow unit_row(const lk_weight& weight, int64_t panel, int64_t unit_of_row) {
    const PanelLayout& layout = weight.layout;
    const int64_t columns = layout.columns(panel);
    const int64_t first = panel * kColumns * layout.units_per_row() + unit_of_row * columns;
    return {weight.scales() + first * weight.codec.unit_bytes(), columns, panel, unit_of_row};
}

template <class T, int Stride>
inline void read_scales(const UnitRow& units, float* out) {
    for (int64_t c = 0; c < units.columns; ++c) out[c] = to_float(load_as<T>(units.bytes + c * Stride));
}

// Scales of type T; with zeros of that type behind each, those as addends.
template <class T>
inline void read_numbers(const Codec& codec, const UnitRow& units, float* scales, float* addends) {
    constexpr int kBytes = sizeof(T);
    if (!codec.has_zero_units()) return read_scales<T, kBytes>(units, scales);
    read_scales<T, 2 * kBytes>(units, scales);
    read_scales<T, 2 * kBytes>({units.bytes + kBytes, units.columns, 0, 0}, addends);
}

// A panel's k_quant units taken apart, for their eight groups: as formats/scale.h has it, 32 columns at a time.
struct KQuantUnits {
    float d[kColumns];
    float dmin[kColumns];
    uint32_t words[3][kColumns];  // scales of groups 0 ... 3, minimums of these, the other groups'

    void read(const UnitRow& units) {
        for (int64_t c = 0; c < units.columns; ++c) {
            const uint8_t* const unit = units.bytes + c * 16;
            d[c] = to_float(load_as<Half>(unit));
            dmin[c] = to_float(load_as<Half>(unit + 2));
            for (int w = 0; w < 3; ++w) words[w][c] = load_as<uint32_t>(unit + kKQuantBitsOffset + w * 4);
        }
    }
    // d * scale of a group, and -dmin * minimum.
    void group(int group, float* scales, float* addends) const {
        const int shift = group % 4 * 8;
        for (int64_t c = 0; c < kColumns; ++c) {
            const uint32_t s0 = words[0][c] >> shift, m0 = words[1][c] >> shift, h = words[2][c] >> shift;
            const uint32_t s = group < 4 ? s0 & 63 : (h & 15) | (s0 >> 2 & 48);
            const uint32_t m = group < 4 ? m0 & 63 : (h >> 4 & 15) | (m0 >> 2 & 48);
            scales[c] = d[c] * float(int32_t(s));
            addends[c] = -(dmin[c] * float(int32_t(m)));
        }
    }
};

inline void read_nested(const lk_weight& weight, const UnitRow& units, float* out) {
    const int64_t units_per_row = weight.layout.units_per_row();
    const float* const table = weight.outer_table();
    const float* const outer = weight.outer_scales();
    int64_t unit = units.panel * kColumns * units_per_row + units.unit_of_row;
    for (int64_t c = 0; c < units.columns; ++c, unit += units_per_row) {
        const int64_t group =
            weight.outer_shift >= 0 ? unit >> weight.outer_shift : unit / weight.tensors.outer_group_size;
        out[c] = table[units.bytes[c]] * outer[group] + weight.tensors.outer_offset;
    }
}

// `k_quants` is the panel's unit that was met last.
inline void read_group(const lk_weight& weight, int64_t panel, int64_t group, bool unit_is_new, KQuantUnits& k_quants,
                       float* scales, float* addends) {
    const Codec& codec = weight.codec;
    const int64_t groups_of_unit = codec.groups_of_unit();
    const UnitRow units = unit_row(weight, panel, group / groups_of_unit);
    if (unit_is_new) {
        const int64_t bytes = units.columns * codec.unit_bytes();
        for (int64_t line = 0; line < bytes; line += 64) prefetch(units.bytes + kScalesAhead + line);
    }
    switch (codec.scale_kind) {
        case ScaleKind::f16:
            if (codec.offset_kind == OffsetKind::minimum) {
                read_scales<Half, 4>(units, scales);
                read_scales<Half, 4>({units.bytes + 2, units.columns, 0, 0}, addends);
            } else {
                read_numbers<Half>(codec, units, scales, addends);
            }
            break;
        case ScaleKind::bf16:
            read_numbers<BFloat16>(codec, units, scales, addends);
            break;
        case ScaleKind::f32:
            read_numbers<float>(codec, units, scales, addends);
            break;
        case ScaleKind::e8m0:
            for (int64_t c = 0; c < units.columns; ++c) scales[c] = e8m0_to_float(units.bytes[c]);
            break;
        case ScaleKind::e4m3:
            for (int64_t c = 0; c < units.columns; ++c) scales[c] = e4m3_to_float(units.bytes[c]);
            for (int64_t c = 0; c < units.columns; ++c) {
                scales[c] =
                    codec.tensor_scale_divides ? scales[c] / codec.tensor_scale : scales[c] * codec.tensor_scale;
            }
            break;
        case ScaleKind::k_quant:
            if (unit_is_new) k_quants.read(units);
            k_quants.group(int(group % groups_of_unit), scales, addends);
            break;
        case ScaleKind::nested:
            read_nested(weight, units, scales);
            break;
    }
    if (codec.offset_kind == OffsetKind::none) return;
    const float center = center_of(codec);
    if (codec.offset_kind == OffsetKind::zero_point) {
        const uint8_t* const pairs = weight.zero_points() + weight.layout.zero_points_offset(panel, group);
        for (int64_t c = 0; c < units.columns; ++c) {
            const int zero = (pairs[c / 2] >> c % 2 * 4 & 15) + codec.zero_bias;
            addends[c] = (center - float(zero)) * scales[c];
        }
    } else if (codec.has_zero_units()) {
        for (int64_t c = 0; c < units.columns; ++c) addends[c] = (center - addends[c]) * scales[c];
    } else {
        for (int64_t c = 0; c < units.columns; ++c) addends[c] += center * scales[c];
    }
}

// Columns that the panel does not have get 0.
inline void read_spans(const lk_weight& weight, const Chunk& chunk, int64_t panel, SpanScales& out) {
    const int64_t columns = weight.layout.columns(panel);
    const int64_t groups_of_unit = weight.codec.groups_of_unit();
    KQuantUnits k_quants{};
    for (int64_t s = 0; s < chunk.count; ++s) {
        float* const scales = out.scales[s];
        float* const addends = out.addends[s];
        if (s > 0 && chunk.spans[s].group == chunk.spans[s - 1].group) {
            std::copy_n(scales - kColumns, kColumns, scales);
            std::copy_n(addends - kColumns, kColumns, addends);
            continue;
        }
        const int64_t group = chunk.spans[s].group;
        const bool unit_is_new = s == 0 || group % groups_of_unit == 0;
        read_group(weight, panel, group, unit_is_new, k_quants, scales, addends);
        for (int64_t c = columns; c < kColumns; ++c) scales[c] = addends[c] = 0;
    }
}

}  // namespace
}  // namespace lk::cpu
