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

// Where the vectors of an update lie.
__device__ __forceinline__ const float* vectors_of(const void* b, lk_dtype dtype, int32_t rank, int64_t columns) {
    const int64_t bytes = tiles_bytes(rank, columns, dtype == LK_DTYPE_F32 ? 4 : 2);
    return reinterpret_cast<const float*>(static_cast<const char*>(b) + bytes);
}

}  // namespace lk::cuda
