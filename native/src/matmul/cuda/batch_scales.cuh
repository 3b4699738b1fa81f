// Scales and offsets on their way from global memory to where multiplying warps find them as they need them: fp32, or
// pairs of 16-bit floats. How a format stores them is a run-time matter here, once a group, and none in the inner loop.
//
// A record's scales are loaded into registers while the record before is multiplied, and decoded into shared memory
// when that is done: the loads have all that time. The first four warps share the groups among them, a group each; a
// lane has the four rows whose scales lie together.
#pragma once

#include "formats/scale.h"
#include "matmul/cuda/batch_codec.cuh"
#include "matmul/cuda/batch_weight.h"
#include "packing/cuda/scale_values.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {

// [group modulo the slots][8 * panel + row % 8]: what a lane needs of its four rows. Scales are floats, or pairs of
// 16-bit floats (e2m1_scaled); offsets are pairs (affine) or floats (affine_minimum).
template <class Shape>
struct GroupSlots {
    uint4 scales[Shape::kGroupSlots][32];
    uint4 offsets[Shape::kHasOffsets ? Shape::kGroupSlots : 1][32];
};

// The place of a row's scales in their slot. The two groups of 16 of a k-block are read at once, by different lanes: of
// every other group the rows lie elsewhere, in other banks.
template <BatchCodec Codec>
__device__ __forceinline__ int row_place(int row, int group) {
    return Codec == BatchCodec::e2m1_scaled ? row ^ (group % 2 * 2) : row;
}

template <BatchCodec Codec, class T, class Shape>
class ScaleStager {
  public:
    // Of the rows of W from `first_panel` on, and of k from `first_record` on.
    __device__ __forceinline__ ScaleStager(const FragmentView& view, const BatchWeight& weight,
                                           GroupSlots<Shape>& slots, const float* outer_table, int first_panel,
                                           int first_record)
        : view_(view),
          weight_(weight),
          slots_(slots),
          outer_table_(outer_table),
          panel_(first_panel + int(lane_id()) / 8),
          warp_(int(threadIdx.x) / 32),
          next_record_(first_record) {}

    // Starts to load the next record's scales: those of the groups that no earlier record had.
    __device__ __forceinline__ void load() {
        if (warp_ >= kWarps) return;
        const int first_block = next_record_++ * kRecordBlocks;
        const int last_block = min(first_block + kRecordBlocks, weight_.blocks) - 1;
        const int first = first_block / weight_.group_blocks * kGroupsOfBlock;
        first_group_ = first > end_group_ ? first : end_group_;
        end_group_ = (last_block / weight_.group_blocks + 1) * kGroupsOfBlock;
        if constexpr (kMayBeKQuant) {
            if (view_.codec.scale_kind == ScaleKind::k_quant) {
                load_k_quant();
                return;
            }
        }
#pragma unroll
        for (int i = 0; i < kOwnGroups; ++i) load_group(own_group(i), raw_[i]);
    }

    // Decodes what was loaded. The slots must be free: groups of the record in use have others.
    __device__ __forceinline__ void decode() {
        if (warp_ >= kWarps) return;
        if constexpr (kMayBeKQuant) {
            if (view_.codec.scale_kind == ScaleKind::k_quant) {
                decode_k_quant();
                return;
            }
        }
#pragma unroll
        for (int i = 0; i < kOwnGroups; ++i) decode_group(own_group(i), raw_[i]);
    }

  private:
    static constexpr int kWarps = 4;
    static constexpr int kRecordBlocks = FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth;
    static constexpr int kLaneRows = FragmentLayout::kLaneRows;
    static constexpr int kGroupsOfBlock = Codec == BatchCodec::e2m1_scaled ? 2 : 1;
    static constexpr int kOwnGroups = kGroupsOfBlock;  // of a record: four or eight groups, four warps
    static constexpr bool kMayBeKQuant = Codec == BatchCodec::affine_minimum;
    static constexpr int kGroupsOfKQuant = 8;

    // What was loaded of a group.
    struct Raw {
        uint32_t units[kLaneRows];  // or their bytes, packed
        uint32_t zero_points;
    };

    // The warp's groups: those of its number modulo four.
    __device__ __forceinline__ int own_group(int i) const {
        return first_group_ + ((warp_ - first_group_) & (kWarps - 1)) + i * kWarps;
    }

    // Of the lane's first row; the other three follow.
    __device__ __forceinline__ int64_t unit_index(int unit) const {
        const int first = unit >> weight_.units_together_shift << weight_.units_together_shift;
        const int together = min(1 << weight_.units_together_shift, int(view_.groups_per_row) - first);
        const int64_t of_panel =
            int64_t(first) * FragmentLayout::kRows + (int(lane_id()) % 8 * together + unit - first) * kLaneRows;
        return int64_t(panel_) * int(view_.groups_per_row) * FragmentLayout::kRows + of_panel;
    }

    template <class V>
    __device__ __forceinline__ const V* address(int unit) const {
        return reinterpret_cast<const V*>(view_.scales + unit_index(unit) * weight_.unit_bytes);
    }

    __device__ __forceinline__ void load_group(int group, Raw& raw) const {
        if (group >= end_group_) return;
        raw = {};
        if (panel_ >= weight_.panels || group >= int(view_.groups_per_row)) return;
        if (weight_.unit_bytes == 1) {
            raw.units[0] = load_nc(address<uint32_t>(group));
        } else if (weight_.unit_bytes == 2) {
            const uint2 loaded = load_nc(address<uint2>(group));
            raw.units[0] = loaded.x;
            raw.units[1] = loaded.y;
        } else {
            const uint4 loaded = load_nc(address<uint4>(group));
            raw.units[0] = loaded.x;
            raw.units[1] = loaded.y;
            raw.units[2] = loaded.z;
            raw.units[3] = loaded.w;
        }
        if (Codec == BatchCodec::affine && view_.codec.offset_kind == OffsetKind::zero_point) {
            raw.zero_points = view_.zero_points[unit_index(group) / kLaneRows];
        }
    }

    __device__ __forceinline__ void decode_group(int group, const Raw& raw) {
        if (group >= end_group_) return;
        uint32_t scales[kLaneRows];
        uint32_t offsets[kLaneRows];
#pragma unroll
        for (int i = 0; i < kLaneRows; ++i) {
            if constexpr (Codec == BatchCodec::e2m1_scaled) {
                // The byte is an f16 without sign, times 2^-8.
                const float scale =
                    low_to_float<Half>(byte_of(raw, i) << 7) * 0x1p8f * ScaledE2m1Values<T>::kScaleFactor;
                scales[i] = pack2<T>(scale, scale);
            } else {
                scales[i] = float_bits(scale_of(group, raw, i));
            }
            if constexpr (Codec == BatchCodec::affine) {
                const int stored = int(raw.zero_points >> (4 * i) & 15);
                offsets[i] = affine_offset<T>(stored + weight_.zero, i % 2 != 0);
            } else if constexpr (Codec == BatchCodec::affine_minimum) {
                offsets[i] = float_bits(high_to_float<Half>(raw.units[i]));
            }
        }
        const int slot = group % Shape::kGroupSlots;
        const int place = row_place<Codec>(int(lane_id()), group);
        slots_.scales[slot][place] = make_uint4(scales[0], scales[1], scales[2], scales[3]);
        if constexpr (Shape::kHasOffsets) {
            slots_.offsets[slot][place] = make_uint4(offsets[0], offsets[1], offsets[2], offsets[3]);
        }
    }

    __device__ __forceinline__ static uint32_t byte_of(const Raw& raw, int i) {
        return raw.units[0] >> (8 * i) & 255;
    }

    __device__ __forceinline__ float scale_of(int group, const Raw& raw, int i) const {
        if constexpr (Codec == BatchCodec::affine_minimum) return low_to_float<Half>(raw.units[i]);
        switch (view_.codec.scale_kind) {
            case ScaleKind::f16:
                return to_float<Half>(uint16_t(raw.units[i / 2] >> (16 * (i % 2))));
            case ScaleKind::bf16:
                return to_float<BFloat16>(uint16_t(raw.units[i / 2] >> (16 * (i % 2))));
            case ScaleKind::f32:
                return bits_float(raw.units[i]);
            case ScaleKind::e8m0:
                return e8m0_to_float(uint8_t(byte_of(raw, i)));
            default: {
                const int64_t row = int64_t(panel_) * FragmentLayout::kRows + int(lane_id()) % 8 + 8 * i;
                if (row >= view_.layout.out_features) return 0;
                return nested_scale(view_, outer_table_[byte_of(raw, i)], row * int(view_.groups_per_row) + group);
            }
        }
    }

    // A unit is eight groups of 32, those of two records. Of each lane's four rows a warp has one.
    __device__ __forceinline__ void load_k_quant() {
        const bool has_unit = first_group_ % kGroupsOfKQuant != 0 && !is_first_;
        is_first_ = false;
        if (has_unit) return;
        raw_[0] = {};
        if (panel_ >= weight_.panels) return;
        const uint4 loaded = load_nc(address<uint4>(first_group_ / kGroupsOfKQuant) + warp_);
        raw_[0].units[0] = loaded.x;
        raw_[0].units[1] = loaded.y;
        raw_[0].units[2] = loaded.z;
        raw_[0].units[3] = loaded.w;
    }

    __device__ __forceinline__ void decode_k_quant() {
        const uint4 unit = make_uint4(raw_[0].units[0], raw_[0].units[1], raw_[0].units[2], raw_[0].units[3]);
        for (int group = first_group_; group < end_group_; ++group) {
            const GroupScale scale = k_quant_scale(unit, uint32_t(group) % kGroupsOfKQuant);
            const int slot = group % Shape::kGroupSlots;
            word_of(slots_.scales[slot]) = float_bits(scale.scale);
            if constexpr (Shape::kHasOffsets) word_of(slots_.offsets[slot]) = float_bits(scale.minimum);
        }
    }

    __device__ __forceinline__ uint32_t& word_of(uint4 (&rows)[32]) const {
        return reinterpret_cast<uint32_t*>(&rows[lane_id()])[warp_];
    }

    const FragmentView& view_;
    const BatchWeight& weight_;
    GroupSlots<Shape>& slots_;
    const float* const outer_table_;
    const int panel_;
    const int warp_;
    int next_record_;
    int first_group_ = 0;
    int end_group_ = 0;     // of what was loaded last
    bool is_first_ = true;  // of the records
    Raw raw_[kOwnGroups] = {};
};

}  // namespace lk::cuda
