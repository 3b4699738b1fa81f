// What adapters add to a tile of y^T that a warp holds in mma's accumulators, before its one rounding:
// B^T of 16 ranks and 32 columns of y is the A operand, x * A^T of eight tokens the B operand.
//
// A lane of the warp stands for a token of the tile and knows that token's entry. Tokens of one adapter are a unit: B
// is read once for all of them, and several units are under way. What a unit gives other tokens is dropped, not
// multiplied by zero, so that a NaN stays in its rows. A token's sum depends on nothing but the token: entries in their
// order, of each 16 ranks at a time.
//
// x * A^T is fp32. It enters as two parts of B's 16-bit type, high and low, and for fp16 divided by a power of two that
// brings the largest of the token's 16 to [1, 2). Where B is fp32, or y is (Exact), products are fp32 as well.
#pragma once

#include "lora/cuda/adapters.cuh"
#include "lora/cuda/update_staging.h"
#include "platform/cuda/async_copy.cuh"
#include "platform/cuda/bits.cuh"
#include "platform/cuda/ldmatrix.cuh"
#include "platform/cuda/mma.cuh"

namespace lk::cuda {

// How the adapter of a token's entry changes a slice of the module. rank 0: not at all.
struct TokenUpdate {
    const float* values = nullptr;  // of the slice; of the next one if the rank is 0
    const void* b = nullptr;
    int32_t columns = 0;       // of the slice
    int32_t first_column = 0;  // of the warp, within the slice; may be negative
    float factor = 0;
    int32_t rank = 0;
    lk_dtype dtype = LK_DTYPE_F32;  // of B
    uint32_t vectors = 0;           // LoraVectors
};

// x * A^T of 16 ranks of ColumnTiles * 8 tokens. Lane 4g + t has ranks 2t, 2t + 1, 2t + 8, 2t + 9 of token g of a tile.
template <bool Exact, int ColumnTiles>
struct UpdateValues {
    // fp32, or {high, high, low, low} pairs: the fragments of mma's B operand.
    uint32_t parts[ColumnTiles][4];
    // Of tokens 2t and 2t + 1 of a tile: what products are multiplied by.
    float factors[ColumnTiles][2];

    __device__ __forceinline__ void load(const Adapters& adapters, const TokenUpdate& own, int32_t first_rank) {
        const uint32_t lane = lane_id();
#pragma unroll
        for (int c = 0; c < ColumnTiles; ++c) {
            const uint32_t token = uint32_t(c) * kUpdateTokens + lane / 4;
            const float* const values = shuffle_wide(own.values, token);
            const int32_t rank = shuffle(own.rank, token);
            const auto dtype = lk_dtype(shuffle(int32_t(own.dtype), token));
            float factor = shuffle(own.factor, token);
            float v[4];
            load_whole(adapters, values + first_rank + int32_t(lane % 4) * 2, rank - first_rank - int32_t(lane % 4) * 2,
                       v);
            if (!Exact) factor *= normalize(v, dtype);
            split(v, dtype, parts[c]);
#pragma unroll
            for (uint32_t i = 0; i < 2; ++i) factors[c][i] = shuffle(factor, (lane % 4 * 2 + i) * 4);
        }
    }

  private:
    // v = values 0, 1, 8 and 9 from here on, as far as there are `left`.
    __device__ __forceinline__ static void load_whole(const Adapters& adapters, const float* values, int32_t left,
                                                      float (&v)[4]) {
#pragma unroll
        for (float& value : v) value = 0;
#pragma unroll 2
        for (int32_t piece = 0; piece < adapters.pieces; ++piece, values += adapters.piece_stride) {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int32_t r = i % 2 + i / 2 * 8;
                if (r < left) v[i] += values[r];
            }
        }
    }

    // For fp16: the largest of the token's values comes to [1, 2). Returns what it was divided by.
    __device__ __forceinline__ static float normalize(float (&v)[4], lk_dtype dtype) {
        constexpr uint32_t kMagnitude = 0x7fffffffu;
        uint32_t largest = 0;
#pragma unroll
        for (const float value : v) {
            const uint32_t magnitude = float_bits(value) & kMagnitude;
            largest = magnitude > largest ? magnitude : largest;
        }
#pragma unroll
        for (uint32_t other = 1; other < 4; other *= 2) {
            const uint32_t magnitude = shuffle_xor(largest, other);
            largest = magnitude > largest ? magnitude : largest;
        }
        if (dtype != LK_DTYPE_F16) return 1.0f;
        // Both powers are normal numbers.
        uint32_t exponent = largest >> 23;
        exponent = exponent < 1 ? 1 : exponent > 253 ? 253 : exponent;
        const float inverse = bits_float((254 - exponent) << 23);
#pragma unroll
        for (float& value : v) value *= inverse;
        return bits_float(exponent << 23);
    }

    __device__ __forceinline__ static void split(const float (&v)[4], lk_dtype dtype, uint32_t (&parts)[4]) {
        if (Exact || dtype == LK_DTYPE_F32) {
#pragma unroll
            for (int i = 0; i < 4; ++i) parts[i] = float_bits(v[i]);
        } else if (dtype == LK_DTYPE_F16) {
            split_as<Half>(v, parts);
        } else {
            split_as<BFloat16>(v, parts);
        }
    }
    template <class B>
    __device__ __forceinline__ static void split_as(const float (&v)[4], uint32_t (&parts)[4]) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            const uint32_t high = pack2<B>(v[2 * i], v[2 * i + 1]);
            parts[i] = high;
            parts[i + 2] = pack2<B>(v[2 * i] - low_to_float<B>(high), v[2 * i + 1] - high_to_float<B>(high));
        }
    }
};

// Tokens of one adapter among the warp's, as every lane sees it: the update of the first of them.
struct UpdateUnit {
    const void* b;
    int32_t columns;
    int32_t first_column;
    int32_t rank;
    lk_dtype dtype;
    uint32_t tokens;  // a bit each

    __device__ __forceinline__ UpdateUnit(const TokenUpdate& own, uint32_t same, uint32_t leader)
        : b(shuffle_wide(own.b, leader)),
          columns(shuffle(own.columns, leader)),
          first_column(shuffle(own.first_column, leader)),
          rank(shuffle(own.rank, leader)),
          dtype(lk_dtype(shuffle(int32_t(own.dtype), leader))),
          tokens(shuffle(same, leader)) {}

    __device__ __forceinline__ bool has_column(int32_t column) const {
        return first_column + column >= 0 && first_column + column < columns;
    }
};

// Begins to bring B^T of the unit's ranks [first_rank, + 16) to shared memory. What the slice does not have is 0.
__device__ __forceinline__ void stage_factors(const UpdateUnit& unit, int32_t first_rank, UpdateFactors& to) {
    const auto* const b = static_cast<const uint16_t*>(unit.b);
    const bool aligned = unit.columns % 8 == 0 && unit.first_column % 8 == 0;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
        const int vector = int(lane_id()) + 32 * i;
        const int rank = vector / 4;
        const int column = vector % 4 * 8;
        const bool has_rank = first_rank + rank < unit.rank;
        const uint16_t* const from = b + int64_t(first_rank + rank) * unit.columns + unit.first_column + column;
        if (aligned) {
            const bool present = has_rank && unit.has_column(column);
            cp_async_zero_fill<16>(&to.values[rank][column], present ? from : b, present ? 16 : 0);
            continue;
        }
#pragma unroll 1
        for (int j = 0; j < 8; ++j) {
            to.values[rank][column + j] = has_rank && unit.has_column(column + j) ? from[j] : uint16_t(0);
        }
    }
}

// totals += factors * sums, of tile c of tokens and `tile` of columns, where the unit has both token and column.
__device__ __forceinline__ void add_sums(const UpdateUnit& unit, int c, int tile, const float (&sums)[4],
                                         const float (&factors)[2], float (&totals)[4]) {
    const uint32_t lane = lane_id();
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const uint32_t token = uint32_t(c) * kUpdateTokens + lane % 4 * 2 + uint32_t(i % 2);
        const bool in_unit = (unit.tokens >> token & 1) != 0;
        if (in_unit && unit.has_column(tile * 16 + int(lane / 4) + i / 2 * 8)) totals[i] += factors[i % 2] * sums[i];
    }
}

// totals += the unit's ranks [first_rank, + 16), of the tokens that it has.
template <class B, bool Exact, int ColumnTiles>
__device__ __forceinline__ void add_unit(const UpdateUnit& unit, const UpdateFactors& factors,
                                         const UpdateValues<Exact, ColumnTiles>& values, float (*totals)[2][4]) {
    const uint32_t lane = lane_id();
    uint32_t a[2][4];
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
        ldmatrix_x4_trans(a[tile], &factors.values[lane % 8 + lane / 16 * 8][tile * 16 + lane / 8 % 2 * 8]);
    }
#pragma unroll
    for (int c = 0; c < ColumnTiles; ++c) {
        if ((unit.tokens >> c * kUpdateTokens & 0xffu) == 0) continue;
        const uint32_t high[2] = {values.parts[c][0], values.parts[c][1]};
        const uint32_t low[2] = {values.parts[c][2], values.parts[c][3]};
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
            float sums[4] = {};
            mma_m16n8k16<B>(sums, a[tile], low, sums);
            mma_m16n8k16<B>(sums, a[tile], high, sums);
            add_sums(unit, c, tile, sums, values.factors[c], totals[c][tile]);
        }
    }
}

// The same in fp32. A lane loads an element of B, those that multiply with it get it from there. One half of the
// columns after the other: registers for the sums of both there are not everywhere.
template <bool Exact, int ColumnTiles>
__device__ __forceinline__ void add_unit_exactly(const UpdateUnit& unit, int32_t first_rank,
                                                 const UpdateValues<Exact, ColumnTiles>& values,
                                                 float (*totals)[2][4]) {
    const uint32_t lane = lane_id();
    const int32_t ranks = unit.rank - first_rank < kUpdateRanks ? unit.rank - first_rank : kUpdateRanks;
#pragma unroll
    for (uint32_t tile = 0; tile < 2; ++tile) {
        const uint32_t own_column = tile * 16 + lane % 16;
        const bool has_own = unit.has_column(int32_t(own_column));
        float sums[ColumnTiles][4] = {};
#pragma unroll 1
        for (uint32_t holder = 0; holder < 4; ++holder) {  // of ranks 2 * holder + {0, 1, 8, 9}
#pragma unroll
            for (int part = 0; part < 4; ++part) {
                const int32_t rank = int32_t(holder) * 2 + part % 2 + part / 2 * 8;
                if (rank >= ranks) continue;
                const int64_t element = int64_t(first_rank + rank) * unit.columns + unit.first_column + own_column;
                const float own = has_own ? load_element(unit.b, unit.dtype, element) : 0.0f;
                const float b[2] = {shuffle(own, lane / 4), shuffle(own, lane / 4 + 8)};
#pragma unroll
                for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
                    for (uint32_t j = 0; j < 2; ++j) {
                        const float value = bits_float(shuffle(values.parts[c][part], (lane % 4 * 2 + j) * 4 + holder));
#pragma unroll
                        for (uint32_t i = 0; i < 2; ++i) sums[c][2 * i + j] = fma_rn(value, b[i], sums[c][2 * i + j]);
                    }
                }
            }
        }
#pragma unroll
        for (int c = 0; c < ColumnTiles; ++c) {
            add_sums(unit, c, int(tile), sums[c], values.factors[c], totals[c][tile]);
        }
    }
}

// One slice, one entry of each token.
template <bool Exact, int ColumnTiles>
__device__ __forceinline__ void add_slice(const Adapters& adapters, int32_t segment, const TokenUpdate& own,
                                          UpdateStaging& staging, const UpdateShare& share, float (*totals)[2][4]) {
    constexpr int kStages = UpdateStaging::kStages;
    const uint32_t same = match_any(own.rank > 0 ? uint32_t(segment) : ~0u);
    const bool leads =
        own.rank > 0 && (same & ((1u << lane_id()) - 1)) == 0 && (share.first_tokens >> lane_id() & 1) != 0;
    for (int32_t first_rank = share.first_rank;; first_rank += share.rank_step) {
        uint32_t units = ballot(leads && own.rank > first_rank);
        if (units == 0) return;
        uint32_t ahead = units;
        const auto stage_next = [&](int stage) {
            if (ahead != 0) {
                const UpdateUnit unit(own, same, first_bit(ahead));
                if (!Exact && unit.dtype != LK_DTYPE_F32) {
                    stage_factors(unit, first_rank, staging.stages[stage]);
                }
                ahead &= ahead - 1;
            }
            cp_async_commit();
        };
#pragma unroll 1
        for (int stage = 0; stage < kStages - 1; ++stage) stage_next(stage);
        UpdateValues<Exact, ColumnTiles> values;
        values.load(adapters, own, first_rank);
        for (int stage = 0; units != 0; units &= units - 1, stage = (stage + 1) % kStages) {
            cp_async_wait<kStages - 2>();
            // The unit's factors are there, and all lanes are done with those whose place the next ones take.
            warp_sync();
            stage_next((stage + kStages - 1) % kStages);
            const UpdateUnit unit(own, same, first_bit(units));
            if (Exact || unit.dtype == LK_DTYPE_F32) {
                add_unit_exactly(unit, first_rank, values, totals);
            } else if (unit.dtype == LK_DTYPE_F16) {
                add_unit<Half>(unit, staging.stages[stage], values, totals);
            } else {
                add_unit<BFloat16>(unit, staging.stages[stage], values, totals);
            }
        }
        warp_sync();
    }
}

// The vectors of one slice, one entry of each token: the bias once, by the warp that takes the token's first ranks; the
// column scale of every warp's part of the sum.
template <int ColumnTiles>
__device__ __forceinline__ void add_vectors(const TokenUpdate& own, const UpdateShare& share, float (*totals)[2][4]) {
    const uint32_t lane = lane_id();
    const float* const own_vectors = vectors_of(own.b, own.dtype, own.rank, own.columns);
#pragma unroll
    for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
        for (uint32_t j = 0; j < 2; ++j) {
            const uint32_t token = uint32_t(c) * kUpdateTokens + lane % 4 * 2 + j;
            const uint32_t vectors = shuffle(own.vectors, token);
            const float* const bias = shuffle_wide(own_vectors, token);
            const int32_t columns = shuffle(own.columns, token);
            const int32_t first_column = shuffle(own.first_column, token);
            const float factor = shuffle(own.factor, token);
            const bool adds_bias =
                (vectors & kHasBias) != 0 && share.first_rank == 0 && (share.first_tokens >> token & 1) != 0;
            const float* const scale = bias + ((vectors & kHasBias) != 0 ? columns : 0);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int32_t column = first_column + i * 8 + int(lane / 4);
                if (vectors == 0 || column < 0 || column >= columns) continue;
                float& total = totals[c][i / 2][i % 2 * 2 + int(j)];
                if (adds_bias) total += factor * bias[column];
                if ((vectors & kHasColumnScale) != 0) total *= scale[column];
            }
        }
    }
}

// Of up to 32 tokens, each of which a lane stands for.
template <bool Exact, int ColumnTiles>
__device__ __forceinline__ void add_adapters_to_tokens(const Adapters& adapters, int64_t first_row, int64_t rows,
                                                       int32_t first_column, UpdateStaging& staging,
                                                       const UpdateShare& share, float (*totals)[2][4]) {
    static_assert(ColumnTiles * kUpdateTokens <= 32);
    const DevicePlan& plan = adapters.plan;
    const int64_t row = first_row + lane_id();
    const bool has_row = int(lane_id()) < ColumnTiles * kUpdateTokens && row < rows && row < plan.counts->rows;
    int32_t entry = has_row ? plan.row_offsets[row] : 0;
    const int32_t end = has_row ? plan.row_offsets[row + 1] : 0;
    for (; any(entry < end); ++entry) {
        const bool has_values = entry < end && (adapters.by_tiles || entry < adapters.value_rows);
        const int32_t segment = has_values ? plan.segment_of_entry[entry] : -1;
        TokenUpdate own;
        if (segment >= 0) own.values = values_of(adapters, entry);
        for (int32_t s = adapters.first_slice; s < adapters.first_slice + adapters.slice_count; ++s) {
            own.rank = 0;
            own.vectors = 0;
            if (segment >= 0) {
                const LoraDescriptor& slice = plan.descriptors[segment][s];
                own.columns = int32_t(slice.columns);
                own.first_column = first_column - int32_t(slice.first_column);
                if (slice.rank > 0 && own.first_column < own.columns && own.first_column + kUpdateColumns > 0) {
                    own.b = slice.b;
                    own.factor = plan.weights[entry] * slice.scale;
                    own.rank = slice.rank;
                    own.dtype = slice.b_dtype;
                    own.vectors = slice.vectors;
                }
            }
            add_slice<Exact, ColumnTiles>(adapters, segment, own, staging, share, totals);
            if (any(own.vectors != 0)) add_vectors<ColumnTiles>(own, share, totals);
            if (segment >= 0) own.values += value_count(adapters, plan.descriptors[segment][s].rank);
        }
    }
}

// totals[c][tile][i] += what the rows' adapters add to y[first_row + 8c + 2t + i % 2][first_column + 16 tile + g +
// i / 2 * 8], of lane 4g + t: mma's accumulators with rows of W as rows. Rows from `rows` on have none.
//
// All lanes of the warp call it; the staging is the warp's alone, no other copies of its threads are under way, and
// no lane reads it any more when one returns. The kernel has called grid_dependency_wait(). Exact: y is fp32. Warps
// that have sums of the same tile share the work: `share`.
template <bool Exact, int ColumnTiles>
__device__ __forceinline__ void add_adapters_to_tile(const Adapters& adapters, int64_t first_row, int64_t rows,
                                                     int64_t first_column, UpdateStaging& staging,
                                                     float (&totals)[ColumnTiles][2][4],
                                                     const UpdateShare& share = {}) {
    constexpr int kMostTiles = 32 / kUpdateTokens;
    constexpr int kTiles = ColumnTiles < kMostTiles ? ColumnTiles : kMostTiles;
    static_assert(ColumnTiles % kTiles == 0);
    if (adapters.plan.counts == nullptr) return;
#pragma unroll
    for (int first = 0; first < ColumnTiles; first += kTiles) {
        add_adapters_to_tokens<Exact, kTiles>(adapters, first_row + first * kUpdateTokens, rows, int32_t(first_column),
                                              staging, share, totals + first);
    }
}

}  // namespace lk::cuda
