// Scales and offsets of a panel, decoded to fp32 in shared memory by the warp that will multiply with them: once for
// all lanes of a row, and so that the inner loops know of no scale kind.
#pragma once

#include "matmul/cuda/interval.cuh"
#include "packing/cuda/fragment_view.h"
#include "packing/cuda/group_scales.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {

// Lane 4g + i decodes row g + 8i. Writes `count` intervals of Depth k from interval `first` of the panel on; offsets
// come in the units of Values' fragments, whose factors are applied at the very end.
template <class Values, class T, Correction C, int Depth>
class ScaleStaging {
  public:
    __device__ __forceinline__ ScaleStaging(const FragmentView& weight, int64_t panel, float* out)
        : weight_(weight),
          out_(out + lane_id()),
          panel_(panel),
          lane_row_(int(lane_id()) / 4),
          quarter_(int(lane_id()) % 4),
          units_per_row_(int(weight.groups_per_row)),
          together_(int(weight.groups_per_record)) {}

    __device__ __forceinline__ void stage(int first, int count) const {
        if (count <= 0) return;
        const int per_unit = int(weight_.layout.group_size) / Depth;
        const int begin_unit = first / per_unit;
        const int end_unit = (first + count - 1) / per_unit + 1;
        with_unit<Values>(weight_.codec, [&]<class Unit>(Unit) {
            // The bits first, where the scale will be, so that loads are under way together.
            constexpr bool kFits = sizeof(typename Unit::Bits) <= sizeof(float);
            if constexpr (kFits) {
#pragma unroll 4
                for (int unit = begin_unit; unit < end_unit; ++unit) {
                    const int interval = unit * per_unit < first ? first : unit * per_unit;
                    const auto bits = uint32_t(load_unit<Unit>(weight_, index_of(unit)));
                    out_[interval * interval_floats(C)] = bits_float(bits);
                    if (has_zero_points()) {
                        out_[interval * interval_floats(C) + FragmentLayout::kRows] = float(zero_point(index_of(unit)));
                    }
                }
            }
#pragma unroll 1
            for (int unit = begin_unit; unit < end_unit; ++unit) {
                int interval = unit * per_unit < first ? first : unit * per_unit;
                const int end = unit * per_unit + per_unit < first + count ? unit * per_unit + per_unit : first + count;
                typename Unit::Bits bits;
                if constexpr (kFits) {
                    bits = static_cast<typename Unit::Bits>(float_bits(out_[interval * interval_floats(C)]));
                } else {
                    bits = load_unit<Unit>(weight_, index_of(unit));
                }
                float zero = 0;
                if (has_zero_points()) zero = out_[interval * interval_floats(C) + FragmentLayout::kRows];
#pragma unroll 1
                for (; interval < end; ++interval) {
                    write(interval, Unit::decode(weight_, bits, row(), interval * Depth), zero);
                }
            }
        });
    }

  private:
    // Only with scales of one level, which have 32 bits at most.
    __device__ __forceinline__ bool has_zero_points() const {
        return C == Correction::offsets && weight_.codec.offset_kind == OffsetKind::zero_point;
    }
    __device__ __forceinline__ int64_t row() const {
        return panel_ * FragmentLayout::kRows + lane_row_ + 8 * quarter_;
    }

    // FragmentLayout::scale_index in the panel, in 32 bits.
    __device__ __forceinline__ int64_t index_of(int unit) const {
        const int first = unit & -together_;
        const int left = units_per_row_ - first;
        const int together = left < together_ ? left : together_;
        return panel_ * FragmentLayout::kRows * units_per_row_ +
               (first * FragmentLayout::kRows + (lane_row_ * together + unit - first) * 4 + quarter_);
    }

    // Four lanes share the 16 bits of a row's four zero points.
    __device__ __forceinline__ uint32_t zero_point(int64_t index) const {
        uint32_t four = 0;
        if (quarter_ == 0) four = weight_.zero_points[index / 4];
        four = shuffle(four, lane_id() & ~3u);
        return four >> (4 * quarter_) & 15;
    }

    __device__ __forceinline__ void write(int interval, const GroupScale& group, float zero) const {
        float* const place = out_ + interval * interval_floats(C);
        if constexpr (Values::kScalesCodes) {
            const float scale = group.scale * Values::kScaleFactor;
            place[0] = bits_float(pack2<T>(scale, scale));
        } else {
            place[0] = group.scale;
        }
        if constexpr (C == Correction::offsets) {
            const Codec& codec = weight_.codec;
            const float subtracted = has_zero_points() ? zero + float(codec.zero_bias) : float(codec.affine_zero);
            const float offset = group.minimum - group.scale * (subtracted + float(Values::kExcess));
            place[FragmentLayout::kRows] =
                offset * (quarter_ % 2 == 0 ? 1.0f / Values::kLowerFactor : 1.0f / Values::kUpperFactor);
        }
    }

    const FragmentView& weight_;
    float* const out_;
    const int64_t panel_;
    const int lane_row_;
    const int quarter_;
    const int units_per_row_;
    const int together_;
};

}  // namespace lk::cuda
