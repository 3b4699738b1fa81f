"""Bugs in the batch kernels."""

from functools import partial

from bugs import bugs_of

BATCH = "matmul/cuda/batch.cuh"
MULTIPLY = "matmul/cuda/batch_multiply.cuh"
SCALES = "matmul/cuda/batch_scales.cuh"
SLICES = "matmul/cuda/batch_slices.cuh"
SHAPE = "matmul/cuda/batch_shape.h"
VALUES = "packing/cuda/scale_values.cuh"
STAGES = "matmul/cuda/batch_stages.cuh"
OUTPUT = "matmul/cuda/batch_output.cuh"


def instance(codec, tile):
    """The unit of a codec with one instance in it, for fp16."""
    return f"""#include "matmul/cuda/batch_kernel_of.cuh"
namespace lk::cuda {{
BatchKernel batch_{codec}(lk_dtype, int) {{ return batch_kernel_of<BatchCodec::{codec}, Half, {tile}>(); }}
}}  // namespace lk::cuda
"""


def unit(codec):
    return f"matmul/cuda/batch_{codec}.cu"


bug = bugs_of("batch", "", "")


def planted(codec, tile, tests, description, *change):
    return bug(description, *change, unit=unit(codec), tests=tests, instance=instance(codec, tile))


def product(codec, name, tile=32):
    """Caught by a product of this format and tile."""
    return partial(planted, codec, tile, f"All/BatchInstances.MultiplyExactly/{name}_f16_{tile}")


mxfp4 = product("e2m1", "MXFP4")
sliced = partial(planted, "e2m1_scaled", 8, "All/BatchSlices.AreAddedUpInEveryWay/NVFP4_8")
in_groups = partial(planted, "affine", 8, "All/BatchSlices.AreAddedUpInEveryWay/int4_g192_8")
stored = partial(planted, "affine", 32, "Batch.StoresIntoAnyRows")
adapters = partial(planted, "affine", 32, "All/BatchTiles.AddAdapters/32")

k_quant = partial(planted, "affine_minimum", 8, "All/BatchSlices.AreAddedUpInEveryWay/Q4_K_8")
g256 = product("affine", "int4_g256")
nvfp4 = product("e2m1_scaled", "NVFP4")


def rows(codec, name, description, *change):
    """Caught by bits that differ between batches, which takes all instances."""
    return bug(description, *change, unit=unit(codec), tests=f"All/BatchRows.HaveTheSameBitsInEveryBatch/{name}")


BUGS = [
    # The ring.
    mxfp4(
        "the wait leaves one group of copies too many under way",
        BATCH,
        "cp_async_wait<Shape::kStages - 2>();",
        "cp_async_wait<Shape::kStages - 1>();",
    ),
    mxfp4(
        "no barrier between the wait for copies and their use by other threads",
        BATCH,
        "cp_async_wait<Shape::kStages - 2>(); block_sync();",
        "cp_async_wait<Shape::kStages - 2>();",
    ),
    mxfp4(
        "the stage in use is refilled",
        BATCH,
        "const int free_place = place == 0 ? Shape::kStages - 1 : place - 1;",
        "const int free_place = place;",
    ),
    mxfp4(
        "no empty groups committed at the end, so that the wait counts wrong",
        BATCH,
        "if (next < end_stage) copier.start(shared.ring[free_place], next * Shape::kBlocks); cp_async_commit();",
        "if (next < end_stage) { copier.start(shared.ring[free_place], next * Shape::kBlocks); cp_async_commit(); }",
    ),
    mxfp4(
        "the stage after the one that is due is read",
        BATCH,
        "product.add(shared.ring[place],",
        "product.add(shared.ring[(place + 1) % Shape::kStages],",
    ),
    mxfp4("codes behind the last k-block are copied", STAGES, "has_panel_ && block < blocks_", "has_panel_"),
    mxfp4(
        "codes of panels that are not there are copied",
        STAGES,
        "has_panel_ = panel < weight.panels;",
        "has_panel_ = true;",
    ),
    mxfp4(
        "tokens behind the last k-block are copied",
        STAGES,
        "pass * kTokensOfPass < tokens_left_ && block < blocks_",
        "pass * kTokensOfPass < tokens_left_",
    ),
    product("e2m1", "MXFP4", 128)(
        "tokens behind the last one are copied",
        STAGES,
        "pass * kTokensOfPass < tokens_left_ && block < blocks_",
        "block < blocks_",
    ),
    # The products.
    mxfp4(
        "two 16-byte chunks of a token swapped",
        MULTIPLY,
        "stage.tokens[i][first_token_ + column * 8 + lane / 4][lane % 4]",
        "stage.tokens[i][first_token_ + column * 8 + lane / 4][lane % 4 ^ 1]",
    ),
    mxfp4(
        "two halves of a k-block's tokens swapped",
        MULTIPLY,
        "{{elements.x, elements.y}, {elements.z, elements.w}}",
        "{{elements.z, elements.w}, {elements.x, elements.y}}",
    ),
    product("e2m1", "MXFP4", 128)(
        "the second half of the warps multiplies the first one's tokens",
        MULTIPLY,
        "first_token_(int(threadIdx.x) / 32 / Shape::kPanels * Shape::kColumnTiles * 8)",
        "first_token_(0)",
    ),
    rows(
        "table",
        "table_g4096",
        "sums go on where a record ends",
        MULTIPLY,
        "left_ == 0 || block % kRecordBlocks == kRecordBlocks - 1 || block == blocks - 1",
        "left_ == 0 || block == blocks - 1",
    ),
    in_groups(
        "a slice that begins inside a group takes it for a whole one",
        MULTIPLY,
        "left_(group_blocks_ - first_block % weight.group_blocks)",
        "left_(group_blocks_)",
    ),
    mxfp4("the group's number does not go on", MULTIPLY, "++group_;", ""),
    mxfp4(
        "a record's sums begin with those of the one before",
        MULTIPLY,
        "multiply<true>(stage, i);",
        "multiply<false>(stage, i);",
    ),
    mxfp4(
        "rows g and g + 8 have each other's scale",
        MULTIPLY,
        "fma_rn(scales[2 * tile + i / 2]",
        "fma_rn(scales[2 * tile + 1 - i / 2]",
    ),
    product("affine_minimum", "Q4_1")(
        "the minimum is multiplied with the other token's sum",
        MULTIPLY,
        "token_sums_[column][i % 2]",
        "token_sums_[column][1 - i % 2]",
    ),
    nvfp4(
        "a fragment's registers have the other rows' scales",
        MULTIPLY,
        "scales[2 * tile + r % 2]",
        "scales[2 * tile + r / 2]",
    ),
    # The scales.
    mxfp4("the first record's scales are not decoded", BATCH, "scales.decode(); int place = 0;", "int place = 0;"),
    mxfp4(
        "there are slots for one record's groups only",
        SHAPE,
        "Codec == BatchCodec::e2m1_scaled ? 16 : 8",
        "Codec == BatchCodec::e2m1_scaled ? 16 : 4",
    ),
    g256(
        "a group of two records is decoded again while it is in use",
        SCALES,
        "first > end_group_ ? first : end_group_",
        "first",
    ),
    product("affine", "int4_g128__zero_points")(
        "zero points of neighbouring rows swapped",
        SCALES,
        "raw.zero_points >> (4 * i) & 15",
        "raw.zero_points >> (4 * (i ^ 1)) & 15",
    ),
    mxfp4(
        "a record's short tail of units is read as a whole one",
        SCALES,
        "min(1 << weight_.units_together_shift, int(view_.groups_per_row) - first)",
        "1 << weight_.units_together_shift",
    ),
    mxfp4(
        "scales of panels that are not there are loaded",
        SCALES,
        "if (panel_ >= weight_.panels || group >= int(view_.groups_per_row)) return;",
        "",
    ),
    product("table", "table_g64_nested")(
        "outer scales of rows that are not there are loaded",
        SCALES,
        "if (row >= view_.layout.out_features) return 0;",
        "",
    ),
    k_quant(
        "Q4_K's fifth group is decoded as its first",
        VALUES,
        "float(group < 4 ? near : far)",
        "float(group <= 4 ? near : far)",
    ),
    k_quant(
        "a slice that begins with Q4_K's second record has no unit",
        SCALES,
        "first_group_ % kGroupsOfKQuant != 0 && !is_first_",
        "first_group_ % kGroupsOfKQuant != 0",
    ),
    nvfp4(
        "every other group of 16 is written where the others are",
        SCALES,
        "const int place = row_place<Codec>",
        "const int place = row_place<BatchCodec::e2m1>",
    ),
    # Slices of K.
    sliced(
        "a block arrives before all of its threads have stored their sums",
        SLICES,
        "slice) * Stored::kTileVectors, sums); block_sync();",
        "slice) * Stored::kTileVectors, sums);",
    ),
    sliced(
        "the arrival counter neither acquires nor releases",
        SLICES,
        "atomic_add_acq_rel(arrivals, 1)",
        "atomic_add(arrivals, 1u)",
    ),
    sliced("the last block but one adds the slices up", SLICES, "uint32_t(slices) - 1", "uint32_t(slices) - 2"),
    sliced(
        "the counter keeps its count for the next launch", SLICES, "if (is_last) atomic_exchange(arrivals, 0u);", ""
    ),
    sliced(
        "threads look whether the block is the last before it is known",
        SLICES,
        "block_sync(); if (!is_last) return false;",
        "if (!is_last) return false;",
    ),
    rows(
        "e2m1",
        "MXFP4",
        "slices are added from the last to the first",
        SLICES,
        "for (int s = 0; s < slices; ++s)",
        "for (int s = slices - 1; s >= 0; --s)",
    ),
    planted(
        "table",
        8,
        "Batch.GivesTheSameBitsInEverySchedule",
        "a block's own slice comes first, whichever it is",
        SLICES,
        "for_each_sum<Shape>(sums, [](float& sum) { sum = 0; }); for (int s = 0; s < slices; ++s) Stored::add_to",
        "for (int s = 0; s < slices; ++s) if (s != slice) Stored::add_to",
    ),
    sliced("a slice replaces the sums of those before", BATCH, "if (slice > 0) Stored::add_to(stored, of_slice);", ""),
    sliced("a block's last slice is left alone", BATCH, "} else if (arguments.slices > 1) {", "} else if (false) {"),
    # Items and their ends.
    stored(
        "threads look up the item before it is there",
        BATCH,
        "item_at(index, slices_apart, row_tiles, token_tiles); block_sync();",
        "item_at(index, slices_apart, row_tiles, token_tiles);",
    ),
    stored(
        "the last strip of tiles is as wide as the others", BATCH, "min(token_tiles - strip * kStrip, kStrip)", "kStrip"
    ),
    bug(
        "adapters' values are read before the launch ahead has made them",
        BATCH,
        "grid_dependency_wait();",
        "",
        unit("affine"),
        "AdapterTraffic.*",
    ),
    adapters(
        "factors are staged over a ring that other warps still read",
        BATCH,
        "block_sync(); // the ring's memory becomes the updates'",
        "",
    ),
    adapters("y is staged over what other warps still read", BATCH, "block_sync(); // it becomes the output's", ""),
    mxfp4(
        "rows are stored before all warps have rounded theirs",
        BATCH,
        "first_row, sums); block_sync(); store_tile",
        "first_row, sums); store_tile",
    ),
    planted(
        "affine",
        32,
        "Batch.AddsTheBias",
        "the bias of rows that are not there is loaded",
        OUTPUT,
        "if (first_row + r >= arguments.y.columns) continue;",
        "",
    ),
    mxfp4(
        "tokens behind the last one are stored",
        OUTPUT,
        "if (token >= arguments.tokens.count) continue;",
        "",
    ),
    stored(
        "columns behind the last one are stored",
        OUTPUT,
        "y.columns - n < kVectorElements ? int(y.columns - n) : kVectorElements",
        "kVectorElements",
    ),
    stored(
        "vectors are stored to rows that are not aligned",
        OUTPUT,
        "aligned && count == kVectorElements",
        "count == kVectorElements",
    ),
]
