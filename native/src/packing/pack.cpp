#include "packing/pack.h"

#include <bit>
#include <cstring>
#include <vector>

#include "core/error.h"
#include "platform/cpu/thread_pool.h"

namespace lk::cpu {
namespace {

constexpr int64_t kDepth = PanelLayout::kStepDepth;

void pack_panel(const lk_weight_tensors& tensors, const lk_weight& weight, uint8_t* packed, int64_t panel) {
    const PanelLayout& layout = weight.layout;
    std::vector<uint8_t> codes(size_t(layout.steps() * kDepth), 0);
    for (int64_t column = 0; column < layout.columns(panel); ++column) {
        weight.format->read_codes(tensors, panel * PanelLayout::kColumns + column, codes.data());
        const uint8_t* code = codes.data();
        for (int64_t step = 0; step < layout.steps(); ++step, code += kDepth) {
            uint8_t* word = packed + layout.word_offset(panel, step, column);
            for (int b = 0; b < 4; ++b) word[b] = static_cast<uint8_t>(code[b] | code[4 + b] << 4);
        }
    }
}

void unpack_row(const lk_weight& weight, const uint8_t* packed, const lk_weight_tensors& out, int64_t row,
                uint8_t* codes) {
    const PanelLayout& layout = weight.layout;
    for (int64_t step = 0; step < layout.steps(); ++step) {
        const uint8_t* word =
            packed + layout.word_offset(row / PanelLayout::kColumns, step, row % PanelLayout::kColumns);
        for (int b = 0; b < 4; ++b) {
            codes[step * kDepth + b] = word[b] & 15;
            codes[step * kDepth + 4 + b] = word[b] >> 4;
        }
    }
    weight.format->write_codes(out, row, codes);
}

// Either pointer may be NULL where there is nothing to copy.
void copy(void* destination, const void* source, int64_t bytes) {
    if (bytes != 0) std::memcpy(destination, source, size_t(bytes));
}

}  // namespace

void prepare(const lk_allocator& allocator, const lk_weight_tensors& tensors, lk_weight& weight) {
    weight.layout = {tensors.out_features, tensors.in_features, tensors.group_size};
    weight.scale_kind = weight.format->scale_kind(tensors);
    weight.format->values(tensors, weight.values);
    const auto outer = uint64_t(tensors.outer_group_size);
    if (std::has_single_bit(outer)) weight.outer_shift = std::countr_zero(outer);
    const int64_t weights = tensors.out_features * tensors.in_features;
    if (weights % 2 != 0) weight.padding_code = static_cast<const uint8_t*>(tensors.codes.data)[weights / 2] & 15;

    const PackedSizes sizes = packed_sizes(weight);
    weight.codes_memory = Block(allocator, sizes.codes, 4096, "a weight's codes");
    weight.scales_memory = Block(allocator, sizes.scales, 64, "a weight's scales");
    weight.outer_memory = Block(allocator, sizes.outer, 64, "a weight's outer scales");
}

PackedSizes packed_sizes(const lk_weight& weight) {
    const bool nested = weight.scale_kind == ScaleKind::nested;
    return {weight.layout.codes_bytes(), weight.layout.groups() * size_of(weight.scale_kind),
            nested ? kOuterTableSize * int64_t(sizeof(float)) + weight.tensors.outer_scales.size : 0};
}

void pack(const lk_weight_tensors& tensors, const lk_weight& weight, const PackedArrays& packed) {
    ThreadPool::shared().parallel_for(weight.layout.panels(),
                                      [&](int64_t panel) { pack_panel(tensors, weight, packed.codes, panel); });
    const size_t scale_bytes = size_t(size_of(weight.scale_kind));
    for (int64_t group = 0; group < weight.layout.groups(); ++group) {
        std::memcpy(packed.scales + weight.layout.scale_index(group) * int64_t(scale_bytes),
                    weight.format->scale_at(tensors, group), scale_bytes);
    }
    if (weight.scale_kind == ScaleKind::nested) {
        copy(packed.outer, tensors.outer_table.data, tensors.outer_table.size);
        copy(packed.outer + kOuterTableSize, tensors.outer_scales.data, tensors.outer_scales.size);
    }
}

void unpack(const lk_weight& weight, const PackedArrays& packed, const lk_weight_tensors& out) {
    const PanelLayout& layout = weight.layout;
    // Rows that share a byte (odd K) are written one after the other.
    const int64_t rows_together = layout.in_features % 2 == 0 ? 64 : layout.out_features;
    const int64_t pieces = rows_together == 0 ? 0 : divide_up(layout.out_features, rows_together);
    ThreadPool::shared().parallel_for(pieces, [&](int64_t piece) {
        std::vector<uint8_t> codes(size_t(layout.steps() * kDepth));
        for (int64_t row = piece * rows_together; row < layout.out_features && row < (piece + 1) * rows_together;
             ++row) {
            unpack_row(weight, packed.codes, out, row, codes.data());
        }
    });
    const int64_t weights = layout.out_features * layout.in_features;
    if (weights % 2 != 0) {
        uint8_t& last = static_cast<uint8_t*>(out.codes.data)[weights / 2];
        last = static_cast<uint8_t>((last & 0xf0) | weight.padding_code);
    }
    const size_t scale_bytes = size_t(size_of(weight.scale_kind));
    for (int64_t group = 0; group < layout.groups(); ++group) {
        std::memcpy(weight.format->scale_at(out, group),
                    packed.scales + layout.scale_index(group) * int64_t(scale_bytes), scale_bytes);
    }
    copy(out.table.data, weight.values, out.table.size);
    if (weight.scale_kind == ScaleKind::nested) {
        copy(out.outer_table.data, packed.outer, out.outer_table.size);
        copy(out.outer_scales.data, packed.outer + kOuterTableSize, out.outer_scales.size);
    }
}

}  // namespace lk::cpu
