// What kernels read of a batch's adapters.
#pragma once

#include <bit>

#include "lora/cuda/device_plan.h"
#include "matmul/cuda/elements.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {

// 8 bytes of another lane.
template <class V>
__device__ __forceinline__ V shuffle_wide(V value, uint32_t lane) {
    const auto bits = std::bit_cast<uint64_t>(value);
    const uint64_t low = shuffle(uint32_t(bits), lane);
    const uint64_t high = shuffle(uint32_t(bits >> 32), lane);
    return std::bit_cast<V>(high << 32 | low);
}

// How many ranks are summed up before the sum is added to the total.
inline constexpr int kPromotedRanks = 128;

__device__ __forceinline__ float* values_of(const Adapters& adapters, int64_t entry) {
    return adapters.values +
           (adapters.by_tiles ? adapters.plan.first_tile[entry] * kRankTile : entry * adapters.value_stride);
}

// The sum of a value's pieces, given the first.
__device__ __forceinline__ float whole_value(const Adapters& adapters, const float* value) {
    float sum = value[0];
#pragma unroll 4
    for (int32_t piece = 1; piece < adapters.pieces; ++piece) sum += value[piece * adapters.piece_stride];
    return sum;
}

// Values of a slice before those of the next.
__device__ __forceinline__ int64_t value_count(const Adapters& adapters, int32_t rank) {
    return adapters.by_tiles ? rank_tiles(rank) * kRankTile : rank;
}

// Calls visit(entry, slices) for the entries of a row that have an adapter, in their order. Rows that the plan does not
// have, and entries whose values nobody has computed, have none.
template <class Visit>
__device__ __forceinline__ void for_each_entry(const Adapters& adapters, int64_t row, Visit&& visit) {
    const DevicePlan& plan = adapters.plan;
    if (plan.counts == nullptr || row >= plan.counts->rows) return;
    for (int32_t entry = plan.row_offsets[row]; entry < plan.row_offsets[row + 1]; ++entry) {
        const int32_t segment = plan.segment_of_entry[entry];
        if (segment < 0 || (!adapters.by_tiles && entry >= adapters.value_rows)) continue;
        visit(entry, plan.descriptors[segment] + adapters.first_slice);
    }
}

// Calls visit(slice, values) for the slices that an entry's adapter changes.
template <class Visit>
__device__ __forceinline__ void for_each_slice(const Adapters& adapters, int64_t entry, const LoraDescriptor* slices,
                                               Visit&& visit) {
    const float* values = values_of(adapters, entry);
    for (int32_t s = 0; s < adapters.slice_count; ++s) {
        if (slices[s].rank == 0) continue;
        visit(slices[s], values);
        values += value_count(adapters, slices[s].rank);
    }
}

__device__ __forceinline__ bool has_adapter(const Adapters& adapters, int64_t row) {
    bool found = false;
    for_each_entry(adapters, row, [&](int32_t, const LoraDescriptor*) { found = true; });
    return found;
}

// totals[j] += the row's adapters at column + j * ColumnStep, for columns below `end`, in the order of the entries: dot
// products of one thread, in fp32. epilogue.cuh does the same for a warp's tile on tensor cores.
template <int C, int ColumnStep>
__device__ __forceinline__ void add_adapters(const Adapters& adapters, int64_t row, int64_t column, int64_t end,
                                             float (&totals)[C]) {
    for_each_entry(adapters, row, [&](int32_t entry, const LoraDescriptor* slices) {
        const float weight = adapters.plan.weights[entry];
        for_each_slice(adapters, entry, slices, [&](const LoraDescriptor& slice, const float* values) {
            const int64_t first = column - slice.first_column;  // of this thread, within the slice
            bool inside[C];
            bool any_inside = false;
#pragma unroll
            for (int j = 0; j < C; ++j) {
                const int64_t n = first + j * ColumnStep;
                inside[j] = n >= 0 && n < slice.columns && column + j * ColumnStep < end;
                any_inside = any_inside || inside[j];
            }
            if (!any_inside) return;
            float sums[C] = {};
            with_element_type(slice.b_dtype, [&]<class B>(const B*) {
                const B* const b = static_cast<const B*>(slice.b) + first;
                for (int32_t promoted = 0; promoted < slice.rank; promoted += kPromotedRanks) {
                    const int32_t last =
                        slice.rank - promoted < kPromotedRanks ? slice.rank : promoted + kPromotedRanks;
                    float part[C] = {};
#pragma unroll 4
                    for (int32_t rank = promoted; rank < last; ++rank) {
                        const float value = whole_value(adapters, values + rank);
#pragma unroll
                        for (int j = 0; j < C; ++j) {
                            if (!inside[j]) continue;
                            part[j] = fma_rn(value, widen(b[rank * slice.columns + j * ColumnStep]), part[j]);
                        }
                    }
#pragma unroll
                    for (int j = 0; j < C; ++j) sums[j] += part[j];
                }
            });
            const float scale = weight * slice.scale;
#pragma unroll
            for (int j = 0; j < C; ++j) {
                if (inside[j]) totals[j] += scale * sums[j];
            }
        });
    });
}

}  // namespace lk::cuda
