// A block's part of x * A^T: two rank tiles of an adapter times some of its entries, over a piece of k.
//
// Dot products: a warp computes four ranks of one or four entries, its lanes share out k, 16 bytes of every row each.
// Tensor cores, where x and A have one 16-bit type and entries are many: the 16 ranks are the rows of mma's A operand,
// entries the columns of B, and warps share out k. Lane 4g + t reads k 8t ... 8t + 7 of 32 of row g, in one load: which
// k meets which in a product makes no difference, as long as both operands agree, so nothing has to be shuffled.
#pragma once

#include "core/dtype.h"
#include "lora/cuda/adapters.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/mma.cuh"

namespace lk::cuda {

inline constexpr int kShrinkThreads = 128;
inline constexpr int kShrinkWarps = kShrinkThreads / 32;
inline constexpr int kShrinkRanks = kItemTiles * int(kRankTile);
inline constexpr int kWarpRanks = kShrinkRanks / kShrinkWarps;  // of dot products

// Sums of warps, of an item's entries and ranks. One more than used: stores of a warp lie in different banks.
struct ShrinkSums {
    float values[kShrinkWarps][kItemEntries][kShrinkRanks + 1];
};

// A rank tile of an adapter in a module.
struct TilePlace {
    const void* a = nullptr;  // its first row; NULL: the adapter has fewer tiles in this module
    int64_t first_value = 0;  // among an entry's
    int32_t ranks = 0;        // of the tile
    lk_dtype dtype = LK_DTYPE_F32;
};

// One lane looks it up for all: adapters are read no more often than they must.
__device__ __forceinline__ TilePlace find_tile(const Adapters& adapters, const LoraDescriptor* slices, int32_t tile,
                                               int64_t in_features) {
    TilePlace place;
    if (lane_id() == 0) {
        int64_t values_before = 0;
        for (int32_t s = 0; s < adapters.slice_count; ++s) {
            const int32_t rank = slices[s].rank;
            const auto tiles = int32_t(rank_tiles(rank));
            if (tile < tiles) {
                const int64_t first_rank = tile * kRankTile;
                place.dtype = slices[s].a_dtype;
                place.a = static_cast<const char*>(slices[s].a) + first_rank * in_features * size_of(place.dtype);
                place.first_value = values_before + first_rank;
                place.ranks = rank - int32_t(first_rank) < kRankTile ? rank - int32_t(first_rank) : int32_t(kRankTile);
                break;
            }
            tile -= tiles;
            values_before += value_count(adapters, rank);
        }
    }
    place.a = shuffle_wide(place.a, 0);
    place.first_value = shuffle_wide(place.first_value, 0);
    place.ranks = shuffle(place.ranks, 0);
    place.dtype = lk_dtype(shuffle(int32_t(place.dtype), 0));
    return place;
}

// Eight elements of a row, from a k that is a multiple of 8.
template <class E>
struct Octet {
    static constexpr int kWords = int(sizeof(E)) / 2;
    uint4 words[kWords];

    // Of a row that begins at a multiple of 16 bytes; all eight are there.
    __device__ __forceinline__ void load(const E* row, int64_t k) {
#pragma unroll
        for (int w = 0; w < kWords; ++w) words[w] = load_nc(reinterpret_cast<const uint4*>(row + k) + w);
    }
    // The same of a row that other warps of the block read too.
    __device__ __forceinline__ void load_shared(const E* row, int64_t k) {
#pragma unroll
        for (int w = 0; w < kWords; ++w) words[w] = reinterpret_cast<const uint4*>(row + k)[w];
    }
    // Any row; elements from `end` on are 0.
    __device__ __forceinline__ void load_each(const E* row, int64_t k, int64_t end) {
        constexpr int kElements = 16 / int(sizeof(E));
        alignas(16) E elements[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            elements[i] = E{};
            if (k + i < end) elements[i] = row[k + i];
        }
#pragma unroll
        for (int w = 0; w < kWords; ++w) {
            const E* const part = elements + w * kElements;
            words[w] = {word_of(part, 0), word_of(part, 1), word_of(part, 2), word_of(part, 3)};
        }
    }

    __device__ __forceinline__ float element(int i) const {
        if constexpr (sizeof(E) == sizeof(float)) {
            return bits_float(word(i));
        } else {
            return i % 2 == 0 ? low_to_float<E>(word(i / 2)) : high_to_float<E>(word(i / 2));
        }
    }

    __device__ __forceinline__ uint32_t word(int i) const {
        const uint4& four = words[i / 4];
        return i % 4 == 0 ? four.x : i % 4 == 1 ? four.y : i % 4 == 2 ? four.z : four.w;
    }

  private:
    __device__ __forceinline__ static uint32_t word_of(const E* elements, int i) {
        if constexpr (sizeof(E) == sizeof(float)) {
            return float_bits(elements[i]);
        } else {
            return uint32_t(elements[2 * i].bits) | uint32_t(elements[2 * i + 1].bits) << 16;
        }
    }
};

__device__ __forceinline__ bool rows_are_aligned(const void* data, int64_t row_bytes) {
    return reinterpret_cast<uint64_t>(data) % 16 == 0 && row_bytes % 16 == 0;
}

// What a block has to do.
struct ShrinkWork {
    const int32_t* entries = nullptr;
    int count = 0;
    TilePlace places[kItemTiles];
    int64_t first_k = 0;
    int64_t end_k = 0;
    int64_t in_features = 0;

    // By value and without an index: the places stay in registers.
    __device__ __forceinline__ TilePlace place_of(int rank) const {
        return rank < int(kRankTile) ? places[0] : places[1];
    }
};

// Row `rank` of the item's 16 of A. Of a tile that the adapter does not have: one of another, for nobody's use.
template <class A>
__device__ __forceinline__ const A* row_of_a(const ShrinkWork& work, int rank) {
    const TilePlace place = work.place_of(rank);
    const void* const tile = place.a == nullptr ? work.places[0].a : place.a;
    return static_cast<const A*>(tile) + rank % int(kRankTile) * work.in_features;
}

// The row of x of an entry of the item; past the last one, the first one's.
template <class T>
__device__ __forceinline__ const T* row_of_entry(const lk_matrix& x, const Adapters& adapters, const ShrinkWork& work,
                                                 int entry) {
    return row_of<const T>(x, adapters.plan.row_of_entry[work.entries[entry < work.count ? entry : 0]]);
}

// A warp's part of dot products: four ranks of some entries.
template <class T, class A, int Entries>
struct DotProducts {
    static constexpr int kRanks = kWarpRanks;
    const A* a;
    int64_t in_features;
    const T* rows[Entries];
    float sums[Entries][kRanks];

    template <bool Whole>
    __device__ __forceinline__ void add(int64_t k, int64_t end) {
        Octet<A> factors[kRanks];
        Octet<T> inputs[Entries];
#pragma unroll
        for (int r = 0; r < kRanks; ++r) {
            if constexpr (Whole) {
                factors[r].load(a + r * in_features, k);
            } else {
                factors[r].load_each(a + r * in_features, k, end);
            }
        }
#pragma unroll
        for (int e = 0; e < Entries; ++e) {
            if constexpr (Whole) {
                inputs[e].load_shared(rows[e], k);
            } else {
                inputs[e].load_each(rows[e], k, end);
            }
        }
#pragma unroll
        for (int i = 0; i < 8; ++i) {
#pragma unroll
            for (int e = 0; e < Entries; ++e) {
                const float input = inputs[e].element(i);
#pragma unroll
                for (int r = 0; r < kRanks; ++r) sums[e][r] = fma_rn(input, factors[r].element(i), sums[e][r]);
            }
        }
    }

    // Adds the lanes up. Two halvings leave a lane one of the four ranks, three more add up those that have the same:
    // lanes 0, 8, 16 and 24 return theirs.
    __device__ __forceinline__ float sum_of_lanes(int entry) const {
        const float(&own)[kRanks] = sums[entry];
        const bool upper = lane_id() / 16 != 0;
        const bool odd = lane_id() / 8 % 2 != 0;
        const float even_rank = (upper ? own[2] : own[0]) + shuffle_xor(upper ? own[0] : own[2], 16);
        const float odd_rank = (upper ? own[3] : own[1]) + shuffle_xor(upper ? own[1] : own[3], 16);
        float sum = (odd ? odd_rank : even_rank) + shuffle_xor(odd ? even_rank : odd_rank, 8);
#pragma unroll
        for (uint32_t other = 4; other > 0; other /= 2) sum += shuffle_xor(sum, other);
        return sum;
    }
};

// Entries [first, + Entries) of the item, as far as there are.
template <class T, class A, int Entries>
__device__ __forceinline__ void add_dot_products(const lk_matrix& x, const Adapters& adapters, const ShrinkWork& work,
                                                 int first, ShrinkSums& sums) {
    constexpr int kStep = 32 * 8;
    const int lane = int(lane_id());
    const int first_rank = int(threadIdx.x) / 32 * kWarpRanks;
    DotProducts<T, A, Entries> products{row_of_a<A>(work, first_rank), work.in_features, {}, {}};
#pragma unroll
    for (int e = 0; e < Entries; ++e) products.rows[e] = row_of_entry<T>(x, adapters, work, first + e);
    int64_t k = work.first_k + lane * 8;
    if (rows_are_aligned(products.a, work.in_features * int64_t(sizeof(A))) &&
        rows_are_aligned(x.data, x.row_stride * int64_t(sizeof(T)))) {
#pragma unroll 2
        for (; k + 8 <= work.end_k; k += kStep) products.template add<true>(k, work.end_k);
    }
#pragma unroll 1
    for (; k < work.end_k; k += kStep) products.template add<false>(k, work.end_k);
    warp_sync();
#pragma unroll
    for (int e = 0; e < Entries; ++e) {
        const float sum = products.sum_of_lanes(e);
        if (lane % 8 == 0 && first + e < work.count) sums.values[0][first + e][first_rank + lane / 8] = sum;
    }
}

template <class T>
__device__ __forceinline__ void shrink_by_dot_products(const lk_matrix& x, const Adapters& adapters,
                                                       const ShrinkWork& work, ShrinkSums& sums) {
    const TilePlace own = work.place_of(int(threadIdx.x) / 32 * kWarpRanks);
    if (own.a == nullptr) return;
    with_element_type(own.dtype, [&]<class A>(const A*) {
        if (work.count == 1) return add_dot_products<T, A, 1>(x, adapters, work, 0, sums);
#pragma unroll 1
        for (int first = 0; first < work.count; first += kFewEntries) {
            add_dot_products<T, A, kFewEntries>(x, adapters, work, first, sums);
        }
    });
}

// Whether tensor cores can do it.
template <class T>
__device__ __forceinline__ bool fits_tensor_cores(const lk_matrix& x, const ShrinkWork& work) {
    if constexpr (sizeof(T) == sizeof(float)) {
        return false;
    } else {
        bool fits = rows_are_aligned(x.data, x.row_stride * int64_t(sizeof(T)));
#pragma unroll
        for (const TilePlace& place : work.places) {
            if (place.a == nullptr) continue;
            fits = fits && place.dtype == x.dtype && rows_are_aligned(place.a, work.in_features * int64_t(sizeof(T)));
        }
        return fits;
    }
}

template <class T>
__device__ __forceinline__ void shrink_by_tensor_cores(const lk_matrix& x, const Adapters& adapters,
                                                       const ShrinkWork& work, ShrinkSums& sums) {
    constexpr int kBlock = 32;  // of k
    constexpr int kPromotedBlocks = 128 / kBlock;
    constexpr int kTiles = kItemEntries / 8;
    const int lane = int(lane_id());
    const int warp = int(threadIdx.x) / 32;
    const T* const a[2] = {row_of_a<T>(work, lane / 4), row_of_a<T>(work, lane / 4 + 8)};
    const T* rows[kTiles];
#pragma unroll
    for (int c = 0; c < kTiles; ++c) rows[c] = row_of_entry<T>(x, adapters, work, c * 8 + lane / 4);
    float totals[kTiles][4] = {};
    for (int64_t promoted = work.first_k + warp * kBlock; promoted < work.end_k;
         promoted += kPromotedBlocks * kShrinkWarps * kBlock) {
        float parts[kTiles][4] = {};
#pragma unroll 2
        for (int block = 0; block < kPromotedBlocks; ++block) {
            const int64_t k = promoted + block * kShrinkWarps * kBlock + lane % 4 * 8;
            Octet<T> factors[2] = {};
            Octet<T> inputs[kTiles] = {};
            // Aligned rows end at a multiple of 8 k.
            if (k < work.end_k) {
#pragma unroll
                for (int i = 0; i < 2; ++i) factors[i].load(a[i], k);
#pragma unroll
                for (int c = 0; c < kTiles; ++c) inputs[c].load(rows[c], k);
            }
#pragma unroll
            for (int step = 0; step < 2; ++step) {
                const uint32_t fragment[4] = {factors[0].word(2 * step), factors[1].word(2 * step),
                                              factors[0].word(2 * step + 1), factors[1].word(2 * step + 1)};
#pragma unroll
                for (int c = 0; c < kTiles; ++c) {
                    const uint32_t column[2] = {inputs[c].word(2 * step), inputs[c].word(2 * step + 1)};
                    mma_m16n8k16<T>(parts[c], fragment, column, parts[c]);
                }
            }
        }
#pragma unroll
        for (int c = 0; c < kTiles; ++c) {
#pragma unroll
            for (int i = 0; i < 4; ++i) totals[c][i] += parts[c][i];
        }
    }
#pragma unroll
    for (int c = 0; c < kTiles; ++c) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            sums.values[warp][c * 8 + lane % 4 * 2 + i % 2][lane / 4 + i / 2 * 8] = totals[c][i];
        }
    }
}

// The piece of the item's values. Dot products alone (adapters.row_local) do the same for a row whatever its
// neighbours.
template <class T>
__device__ __forceinline__ void shrink_item(const lk_matrix& x, const Adapters& adapters, const ShrinkItem& item,
                                            int32_t piece, ShrinkSums& sums) {
    const DevicePlan& plan = adapters.plan;
    ShrinkWork work;
    work.entries = plan.segment_entries + item.first;
    const LoraDescriptor* const slices =
        plan.descriptors[plan.segment_of_entry[work.entries[0]]] + adapters.first_slice;
#pragma unroll
    for (int tile = 0; tile < kItemTiles; ++tile) {
        work.places[tile] = find_tile(adapters, slices, item.pair * kItemTiles + tile, x.columns);
    }
    if (work.places[0].a == nullptr) return;
    // Entries ascend, and with them rows: those that x does not have are at the end.
    work.count = item.count;
    while (work.count > 0 && plan.row_of_entry[work.entries[work.count - 1]] >= x.rows) --work.count;
    work.in_features = x.columns;
    const int64_t depth = shrink_depth(x.columns, adapters.pieces);
    work.first_k = piece * depth;
    work.end_k = work.first_k + depth < x.columns ? work.first_k + depth : x.columns;

    const bool by_tensor_cores = item.count > kFewEntries && !adapters.row_local && fits_tensor_cores<T>(x, work);
    block_sync();
    if constexpr (sizeof(T) < sizeof(float)) {
        if (by_tensor_cores) shrink_by_tensor_cores<T>(x, adapters, work, sums);
    }
    if (!by_tensor_cores) shrink_by_dot_products<T>(x, adapters, work, sums);
    block_sync();
    for (int i = int(threadIdx.x); i < work.count * kShrinkRanks; i += kShrinkThreads) {
        const int entry = i / kShrinkRanks;
        const int rank = i % kShrinkRanks;
        const TilePlace place = work.place_of(rank);
        const int32_t rank_of_tile = rank % int(kRankTile);
        if (rank_of_tile >= place.ranks) continue;
        float sum = sums.values[0][entry][rank];
        if (by_tensor_cores) {
#pragma unroll
            for (int warp = 1; warp < kShrinkWarps; ++warp) sum += sums.values[warp][entry][rank];
        }
        values_of(adapters, work.entries[entry])[piece * adapters.piece_stride + place.first_value + rank_of_tile] =
            sum;
    }
}

}  // namespace lk::cuda
