// s = x * A^T. A block computes a rank tile of an adapter for up to 8 of its entries: both sides pass through shared
// memory as fp32, a thread sums up one element.
#include "core/dtype.h"
#include "linear/cuda/exact.cuh"
#include "lora/cuda/lora.h"
#include "matmul/cuda/grid_size.h"
#include "matmul/cuda/tile.cuh"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

static_assert(kTileThreads == kItemEntries * kRankTile);

// Of a multiprocessor, at least. Where this is not said, ptxas saves registers for more of them and spills.
constexpr int kShrinkBlocks = 8;

// Where a rank tile of an adapter lies in a module.
struct TilePlace {
    const LoraDescriptor* slice = nullptr;  // NULL: the adapter has fewer tiles in this module
    int32_t tile = 0;                       // within the slice
    int64_t values_before = 0;
};

__device__ __forceinline__ TilePlace find_tile(const Adapters& adapters, const LoraDescriptor* slices, int32_t tile) {
    TilePlace place;
    for (int32_t s = 0; s < adapters.slice_count; ++s) {
        const auto tiles = int32_t(rank_tiles(slices[s].rank));
        if (tile < tiles) {
            place.slice = slices + s;
            place.tile = tile;
            return place;
        }
        tile -= tiles;
        place.values_before += value_count(adapters, slices[s].rank);
    }
    return place;
}

// See exact.cuh.
template <class T>
LK_RARE float undo_overflow(const lk_matrix& x, int64_t row, const LoraDescriptor& slice, int64_t rank, float total) {
    if (slice.finite == 0 || !row_is_finite<T>(x, row)) return total;
    return float(exact_value<T>(x, row, slice, rank));
}

template <class T>
__global__ void __launch_bounds__(kTileThreads, kShrinkBlocks)
    shrink_kernel(const __grid_constant__ lk_matrix x, const __grid_constant__ Adapters adapters) {
    LK_SHARED(Tile<kItemEntries>, x_tile);
    LK_SHARED(Tile<kRankTile>, a_tile);
    const DevicePlan& plan = adapters.plan;
    const int own_entry = int(threadIdx.x) / int(kRankTile);
    const int own_rank = int(threadIdx.x) % int(kRankTile);
    for (int32_t i = int32_t(blockIdx.x); i < plan.counts->items; i += int32_t(gridDim.x)) {
        const ShrinkItem item = plan.items[i];
        const int32_t* const entries = plan.segment_entries + item.first;
        const LoraDescriptor* const slices = plan.descriptors[plan.segment_of_entry[entries[0]]] + adapters.first_slice;
        const TilePlace place = find_tile(adapters, slices, item.tile);
        if (place.slice == nullptr) continue;
        const LoraDescriptor& slice = *place.slice;
        // Entries ascend, and with them rows: those that x does not have are at the end.
        int count = item.count;
        while (count > 0 && plan.row_of_entry[entries[count - 1]] >= x.rows) --count;

        float total = 0;
        for (int64_t first_k = 0; first_k < x.columns; first_k += kTileDepth) {
            block_sync();
            stage_rows(x_tile, count, x.columns, first_k,
                       [&](int r) { return row_of<const T>(x, plan.row_of_entry[entries[r]]); });
            with_element_type(slice.a_dtype, [&]<class A>(const A*) {
                const A* const a = static_cast<const A*>(slice.a) + place.tile * kRankTile * x.columns;
                stage_rows(a_tile, int(kRankTile), x.columns, first_k, [&](int r) { return a + r * x.columns; });
            });
            block_sync();
            float sum[1][1] = {};
            add_products<1, 1, 1, 1>(x_tile, a_tile, own_entry, own_rank, own_entry < count ? 1 : 0,
                                     padded_depth(x.columns, first_k), sum);
            total += sum[0][0];
        }

        const int32_t rank = place.tile * int32_t(kRankTile) + own_rank;
        if (own_entry >= count || rank >= slice.rank) continue;
        const int32_t entry = entries[own_entry];
        if (!adapters.by_tiles && entry >= adapters.value_rows) continue;
        const int32_t row = plan.row_of_entry[entry];
        if (!is_finite(total)) total = undo_overflow<T>(x, row, slice, rank, total);
        values_of(adapters, entry)[place.values_before + rank] = total;
    }
}

__global__ void __launch_bounds__(kTileThreads) clear_kernel(const __grid_constant__ lk_matrix s) {
    for (int64_t row = blockIdx.x; row < s.rows; row += gridDim.x) {
        float* const values = row_of<float>(s, row);
        for (int64_t c = threadIdx.x; c < s.columns; c += kTileThreads) values[c] = 0;
    }
}

}  // namespace

void shrink(const Stream& stream, const lk_matrix& x, const Adapters& adapters, int64_t items) {
    with_dtype(x.dtype, [&]<class T>(T*) {
        launch(shrink_kernel<T>, {.grid = grid_size(items), .block = kTileThreads, .stream = stream.handle()}, x,
               adapters);
    });
}

void clear(const Stream& stream, const lk_matrix& s) {
    launch(clear_kernel, {.grid = grid_size(s.rows), .block = kTileThreads, .stream = stream.handle()}, s);
}

}  // namespace lk::cuda
