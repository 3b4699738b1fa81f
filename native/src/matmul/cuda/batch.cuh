// y^T = W * x^T on tensor cores, for any number of tokens: tiles of 128 rows of W and 8, 32, 64 or 128 tokens.
//
// A ring of stages of codes and elements is filled by asynchronous copies. Each warp has 32 rows of W: it decodes a
// lane's word of codes to fragments of exact values once and multiplies them with all of its tokens. mma's sums of at
// most 128 k, or of a group, are multiplied by the group's scale and added up in fp32. K may be cut into slices, which
// are added in ascending order. What an element's sum looks like depends on K, the group size and the number of slices
// only: neither on the tile nor on the other tokens.
#pragma once

#include "lora/cuda/epilogue.cuh"
#include "matmul/cuda/batch.h"
#include "matmul/cuda/batch_output.cuh"
#include "matmul/cuda/batch_slices.cuh"
#include "platform/cuda/grid.cuh"

namespace lk::cuda {

// Where an item of work lies.
struct BatchItem {
    int tile;
    int row_tile;
    int token_tile;
    int slice;
};

// Tiles are walked in strips of a few tiles of tokens: blocks that run at the same time then share rows of W and of x.
__device__ __forceinline__ BatchItem item_at(int index, int slices_apart, int row_tiles, int token_tiles) {
    constexpr int kStrip = 8;
    BatchItem item;
    item.slice = index % slices_apart;
    item.tile = index / slices_apart;
    const int strip = item.tile / (row_tiles * kStrip);
    const int width = min(token_tiles - strip * kStrip, kStrip);
    const int in_strip = item.tile - strip * row_tiles * kStrip;
    item.row_tile = in_strip / width;
    item.token_tile = strip * kStrip + in_strip % width;
    return item;
}

template <BatchCodec Codec, class T, class Shape>
struct BatchShared {
    union {
        Stage<Shape> ring[Shape::kStages];
        UpdateStaging updates[Shape::kThreads / 32];
        OutputTile<T, Shape> output;
    };
    GroupSlots<Shape> slots;
    BatchItem item;  // the block's present one: registers are dear
    uint32_t pairs[Shape::kHasTable ? kPairEntries * 32 : 4];
    float outer_table[256];
};

// sums = the products of the records from first_record on. `flush(sums)` is called where a slice ends and another one
// of the block's follows.
template <BatchCodec Codec, class T, class Shape, class Flush>
__device__ __forceinline__ void multiply_records(const BatchArguments& arguments, BatchShared<Codec, T, Shape>& shared,
                                                 const BatchItem& item, int first_record, int end_record,
                                                 TileSums<Shape>& sums, const Flush& flush) {
    const BatchWeight& weight = arguments.weight;
    constexpr int kRecordBlocks = FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth;
    const int first_panel = item.row_tile * Shape::kPanels;
    const FragmentView& view = arguments.matmul.weight;
    const StageCopier<Shape> copier(view, weight, arguments.matmul.tokens, first_panel,
                                    item.token_tile * Shape::kTokens);
    ScaleStager<Codec, T, Shape> scales(view, weight, shared.slots, shared.outer_table, first_panel, first_record);
    WarpProduct<Codec, T, Shape> product(weight, shared.slots, shared.pairs, first_record * kRecordBlocks);

    const int first_stage = first_record * Shape::kStagesOfRecord;
    const int end_block = min(end_record * kRecordBlocks, weight.blocks);
    const int end_stage = (end_block + Shape::kBlocks - 1) / Shape::kBlocks;
    scales.load();
#pragma unroll
    for (int i = 0; i < Shape::kStages - 1; ++i) {
        if (first_stage + i < end_stage) copier.start(shared.ring[i], (first_stage + i) * Shape::kBlocks);
        cp_async_commit();
    }
    scales.decode();
    int place = 0;  // in the ring
    for (int stage = first_stage; stage < end_stage; ++stage) {
        cp_async_wait<Shape::kStages - 2>();
        block_sync();
        const int next = stage + Shape::kStages - 1;
        const int free_place = place == 0 ? Shape::kStages - 1 : place - 1;
        if (next < end_stage) copier.start(shared.ring[free_place], next * Shape::kBlocks);
        cp_async_commit();

        const int next_record = stage / Shape::kStagesOfRecord + 1;
        if (stage % Shape::kStagesOfRecord == 0 && next_record < end_record) scales.load();
        product.add(shared.ring[place], stage * Shape::kBlocks, end_block, sums);
        if ((stage + 1) % Shape::kStagesOfRecord == 0 && next_record < end_record) {
            scales.decode();
            if (next_record % arguments.slice_records == 0) flush(next_record / arguments.slice_records - 1, sums);
        }
        place = place == Shape::kStages - 1 ? 0 : place + 1;
    }
}

template <BatchCodec Codec, class T, int Tokens>
__global__ void __launch_bounds__(BatchShape<Codec, Tokens>::kThreads, BatchShape<Codec, Tokens>::kResident)
    batch_kernel(const __grid_constant__ BatchArguments arguments) {
    using Shape = BatchShape<Codec, Tokens>;
    using Shared = BatchShared<Codec, T, Shape>;
    using Stored = StoredSums<Shape>;
    LK_DYNAMIC_SHARED(Shared, shared);
    const BatchWeight& weight = arguments.weight;
    const FragmentView& view = arguments.matmul.weight;
    if constexpr (Shape::kHasTable) {
        fill_pairs<T>(shared->pairs, view.codec.values, int(threadIdx.x), Shape::kThreads);
    }
    if (view.codec.scale_kind == ScaleKind::nested) {
        for (int i = int(threadIdx.x); i < 256; i += Shape::kThreads) shared->outer_table[i] = view.outer_table[i];
    }

    const int records = int(divide_up(weight.blocks, FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth));
    const int row_tiles = arguments.row_tiles;
    const int token_tiles = arguments.token_tiles;
    const int slices_apart = arguments.slices_apart ? arguments.slices : 1;
    const int items = row_tiles * token_tiles * slices_apart;
    for (int index = int(blockIdx.x); index < items; index += int(gridDim.x)) {
        // Every thread has read the item before: there was a barrier behind.
        if (threadIdx.x == 0) shared->item = item_at(index, slices_apart, row_tiles, token_tiles);
        block_sync();  // and what it has left in shared memory is done with
        const BatchItem& item = shared->item;
        float4* const stored = arguments.slice_sums + int64_t(blockIdx.x) * Stored::kTileVectors;
        const int first_record = item.slice * arguments.slice_records;
        const int end_record = arguments.slices_apart ? min(first_record + arguments.slice_records, records) : records;
        TileSums<Shape> sums = {};
        multiply_records<Codec, T, Shape>(arguments, *shared, item, first_record, end_record, sums,
                                          [&](int slice, TileSums<Shape>& of_slice) {
                                              if (slice > 0) Stored::add_to(stored, of_slice);
                                              Stored::store(stored, of_slice);
                                              for_each_sum<Shape>(of_slice, [](float& sum) { sum = 0; });
                                          });
        if (slices_apart > 1) {
            float4* const tile_slices = arguments.slice_sums + int64_t(item.tile) * slices_apart * Stored::kTileVectors;
            if (!add_slices<Shape>(tile_slices, arguments.arrivals + item.tile, item.slice, slices_apart, sums))
                continue;
        } else if (arguments.slices > 1) {
            Stored::add_to(stored, sums);
        }
        const float factor = weight.factor * value_factor<Codec, T>();
        for_each_sum<Shape>(sums, [&](float& sum) { sum = mul_rn(sum, factor); });
        const int64_t first_row = int64_t(item.row_tile) * Shape::kRows;
        const int first_token = item.token_tile * Shape::kTokens;
        if (arguments.matmul.adapters.plan.counts != nullptr) {
            const int warp = int(threadIdx.x) / 32;
            block_sync();  // the ring's memory becomes the updates'
            grid_dependency_wait();
            add_adapters_to_tile<false, Shape::kColumnTiles>(
                arguments.matmul.adapters, first_token + warp / Shape::kPanels * Shape::kColumnTiles * 8,
                arguments.matmul.tokens.count, first_row + warp % Shape::kPanels * FragmentLayout::kRows,
                shared->updates[warp], sums);
        }
        block_sync();  // it becomes the output's
        round_tile<T, Shape>(shared->output, arguments.matmul, first_row, sums);
        block_sync();
        store_tile<T, Shape>(shared->output, arguments.matmul, first_row, first_token);
    }
}

}  // namespace lk::cuda
