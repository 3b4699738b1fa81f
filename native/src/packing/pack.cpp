#include "packing/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "formats/group_index.h"
#include "formats/units.h"
#include "packing/units.h"
#include "packing/zero_words.h"
#include "platform/cpu/thread_pool.h"

namespace lk {

void describe(const lk_weight_tensors& tensors, lk_weight& weight) {
    weight.codec = weight.format->codec(tensors);
    weight.layout = {tensors.out_features, tensors.in_features, weight.codec.unit_size(),
                     !weight.codec.groups_straddle_rows};
    weight.in_order = formats::is_in_order(tensors);
    const auto outer = uint64_t(tensors.outer_group_size);
    if (std::has_single_bit(outer)) weight.outer_shift = std::countr_zero(outer);
    weight.padding = read_padding(*weight.format, tensors);
}

void allocate(const lk_allocator& allocator, const LayoutSizes& sizes, lk_weight& weight) {
    const Codec& codec = weight.codec;
    weight.codes_memory = Block(allocator, sizes.codes, 4096, "a weight's codes");
    weight.scales_memory = Block(allocator, sizes.scales, 64, "a weight's scales");
    if (codec.offset_kind == OffsetKind::zero_point) {
        weight.zero_points_memory = Block(allocator, sizes.zero_points, 64, "a weight's zero points");
    }
    if (codec.scale_kind == ScaleKind::nested) {
        const int64_t table_bytes = kOuterTableSize * int64_t(sizeof(float));
        weight.outer_memory =
            Block(allocator, table_bytes + weight.tensors.outer_scales.size, 64, "a weight's outer scales");
    }
    if (!weight.in_order) {
        weight.order_memory =
            Block(allocator, weight.tensors.in_features * int64_t(sizeof(int32_t)), 64, "a weight's order of k");
    }
}

}  // namespace lk

namespace lk::cpu {
namespace {

constexpr int64_t kDepth = PanelLayout::kStepDepth;
constexpr int64_t kColumns = PanelLayout::kColumns;
constexpr int64_t kPanelsTogether = packing::Path::kPanelsTogether;

bool has_zero_points(const lk_weight& weight) {
    return weight.codec.offset_kind == OffsetKind::zero_point;
}

// Kernels read whole registers of columns: beyond the end of the codes where the last panel has fewer.
constexpr int64_t kReadBeyond = kColumns * 4;

// Rows of codes in the checkpoint's order of k and in the packed one, one code a byte, up to whole steps.
class CodeRow {
  public:
    CodeRow(const lk_weight& weight, const int32_t* order)
        : in_features_(weight.layout.in_features),
          order_(order),
          original_(size_t(weight.layout.steps() * kDepth)),
          packed_(order == nullptr ? 0 : original_.size()) {}

    uint8_t* original() { return original_.data(); }
    uint8_t* packed() { return order_ == nullptr ? original_.data() : packed_.data(); }
    void gather() {
        for (int64_t k = 0; k < in_features_ && order_ != nullptr; ++k)
            packed_[size_t(k)] = original_[size_t(order_[k])];
    }
    void scatter() {
        for (int64_t k = 0; k < in_features_ && order_ != nullptr; ++k)
            original_[size_t(order_[k])] = packed_[size_t(k)];
    }

  private:
    int64_t in_features_;
    const int32_t* order_;
    std::vector<uint8_t> original_;
    std::vector<uint8_t> packed_;
};

void pack_panel(const lk_weight_tensors& tensors, const lk_weight& weight, const PackedArrays& packed, int64_t panel) {
    const PanelLayout& layout = weight.layout;
    CodeRow row(weight, weight.in_order ? nullptr : packed.order);
    for (int64_t column = 0; column < layout.columns(panel); ++column) {
        read_codes(*weight.format, tensors, panel * kColumns + column, row.original());
        row.gather();
        const uint8_t* code = row.packed();
        for (int64_t step = 0; step < layout.steps(); ++step, code += kDepth) {
            uint32_t low, high;  // four codes each
            std::memcpy(&low, code, sizeof low);
            std::memcpy(&high, code + 4, sizeof high);
            const uint32_t word = low | high << 4;
            std::memcpy(packed.codes + layout.word_offset(panel, step, column), &word, sizeof word);
        }
    }
}

void unpack_row(const lk_weight& weight, const PackedArrays& packed, const lk_weight_tensors& out, int64_t n,
                CodeRow& row) {
    const PanelLayout& layout = weight.layout;
    uint8_t* code = row.packed();
    for (int64_t step = 0; step < layout.steps(); ++step, code += kDepth) {
        uint32_t word;
        std::memcpy(&word, packed.codes + layout.word_offset(n / kColumns, step, n % kColumns), sizeof word);
        const uint32_t low = word & 0x0f0f0f0f, high = word >> 4 & 0x0f0f0f0f;
        std::memcpy(code, &low, sizeof low);
        std::memcpy(code + 4, &high, sizeof high);
    }
    row.scatter();
    write_nibbles(weight.format->storage(out).codes, out.codes.data, n, layout.in_features, row.original());
}

void pack_zero_points(const lk_weight_tensors& tensors, const lk_weight& weight, uint8_t* packed, int64_t panel) {
    const PanelLayout& layout = weight.layout;
    const NibbleStorage storage = weight.format->storage(tensors).zero_points;
    if (packing::pack_zero_words(storage, tensors.zero_points.data, layout, panel, packed)) return;
    std::vector<uint8_t> row(size_t(layout.units_per_row()));
    for (int64_t column = 0; column < layout.columns(panel); ++column) {
        read_nibbles(storage, tensors.zero_points.data, panel * kColumns + column, layout.units_per_row(), row.data());
        for (int64_t group = 0; group < layout.units_per_row(); ++group) {
            uint8_t& pair = packed[layout.zero_points_offset(panel, group) + column / 2];
            pair = static_cast<uint8_t>(column % 2 == 0 ? row[size_t(group)] : pair | row[size_t(group)] << 4);
        }
    }
}

void unpack_zero_points(const lk_weight& weight, const uint8_t* packed, const lk_weight_tensors& out, int64_t panel) {
    const PanelLayout& layout = weight.layout;
    const NibbleStorage storage = weight.format->storage(out).zero_points;
    std::vector<uint8_t> row(size_t(layout.units_per_row()));
    for (int64_t column = 0; column < layout.columns(panel); ++column) {
        for (int64_t group = 0; group < layout.units_per_row(); ++group) {
            const uint8_t pair = packed[layout.zero_points_offset(panel, group) + column / 2];
            row[size_t(group)] = static_cast<uint8_t>(column % 2 == 0 ? pair & 15 : pair >> 4);
        }
        write_nibbles(storage, out.zero_points.data, panel * kColumns + column, layout.units_per_row(), row.data());
    }
}

// Bytes that a thread copies at a time.
constexpr int64_t kCopiedTogether = int64_t{1} << 20;

// Of a raw weight's codes.
void copy_by_threads(uint8_t* destination, const void* source, int64_t bytes) {
    ThreadPool::shared().parallel_for(divide_up(bytes, kCopiedTogether), [&](int64_t item) {
        const int64_t begin = item * kCopiedTogether;
        std::memcpy(destination + begin, static_cast<const uint8_t*>(source) + begin,
                    size_t(std::min(kCopiedTogether, bytes - begin)));
    });
}

// Either pointer may be NULL where there is nothing to copy.
void copy(void* destination, const void* source, int64_t bytes) {
    if (bytes != 0) std::memcpy(destination, source, size_t(bytes));
}

}  // namespace

void pack(const packing::Path& path, const lk_allocator& allocator, const lk_weight_tensors& tensors,
          lk_weight& weight) {
    describe(tensors, weight);
    if (weight.codec.is_raw()) {
        allocate(allocator, {.codes = tensors.codes.size}, weight);
        return copy_by_threads(weight.codes(), tensors.codes.data, tensors.codes.size);
    }
    const PanelLayout& layout = weight.layout;
    allocate(allocator,
             {.codes = layout.codes_bytes() + kReadBeyond,
              .scales = layout.units() * weight.codec.unit_bytes(),
              .zero_points = layout.zero_points_bytes()},
             weight);
    const PackedArrays packed = weight.arrays();
    std::memset(packed.codes + layout.codes_bytes(), 0, kReadBeyond);
    if (!weight.in_order) formats::read_order(tensors, packed.order);
    const NibbleStorage codes = weight.format->storage(tensors).codes;
    ThreadPool::shared().parallel_for(divide_up(layout.panels(), kPanelsTogether), [&](int64_t item) {
        const int64_t begin = item * kPanelsTogether, end = std::min(layout.panels(), begin + kPanelsTogether);
        const bool packed_codes =
            path.pack_words(codes, tensors.codes.data, layout, weight.order(), begin, end, packed.codes);
        for (int64_t panel = begin; panel < end; ++panel) {
            if (!packed_codes) pack_panel(tensors, weight, packed, panel);
            if (has_zero_points(weight)) pack_zero_points(tensors, weight, packed.zero_points, panel);
            if (layout.rows_begin_units) packing::pack_units(tensors, weight, packed.scales, panel);
        }
    });
    if (!layout.rows_begin_units) copy(packed.scales, tensors.scales.data, tensors.scales.size);
    if (weight.codec.scale_kind == ScaleKind::nested) {
        copy(packed.outer, tensors.outer_table.data, tensors.outer_table.size);
        copy(packed.outer + kOuterTableSize, tensors.outer_scales.data, tensors.outer_scales.size);
    }
}

void unpack(const lk_weight& weight, const lk_weight_tensors& out) {
    if (weight.codec.is_raw()) return copy(out.codes.data, weight.codes(), out.codes.size);
    const PanelLayout& layout = weight.layout;
    const PackedArrays packed = weight.arrays();
    // Rows that share a byte are written one after the other.
    const bool shared = weight.format->storage(out).codes.rows_share_bytes();
    const int64_t panels_together = shared ? layout.panels() : 1;
    const int64_t pieces = panels_together == 0 ? 0 : divide_up(layout.panels(), panels_together);
    ThreadPool::shared().parallel_for(pieces, [&](int64_t piece) {
        CodeRow row(weight, weight.in_order ? nullptr : packed.order);
        for (int64_t panel = piece * panels_together; panel < std::min(layout.panels(), (piece + 1) * panels_together);
             ++panel) {
            for (int64_t column = 0; column < layout.columns(panel); ++column) {
                unpack_row(weight, packed, out, panel * kColumns + column, row);
            }
            if (has_zero_points(weight)) unpack_zero_points(weight, packed.zero_points, out, panel);
        }
    });
    write_padding(*weight.format, out, weight.padding);
    const Units units(*weight.format, weight.codec, out);
    for (int64_t unit = 0; unit < layout.units(); ++unit) {
        units.write(unit, packed.scales + layout.unit_index(unit) * weight.codec.unit_bytes());
    }
    copy(out.table.data, weight.codec.values, out.table.size);
    if (weight.codec.scale_kind == ScaleKind::nested) {
        copy(out.outer_table.data, packed.outer, out.outer_table.size);
        copy(out.outer_scales.data, packed.outer + kOuterTableSize, out.outer_scales.size);
    }
    if (out.group_index.size != 0) formats::write_group_index(out, weight.in_order ? nullptr : packed.order);
}

}  // namespace lk::cpu
