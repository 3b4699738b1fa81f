#include "matmul/cuda/batch.h"

#include <algorithm>

#include "matmul/cuda/batch_kernels.h"
#include "platform/cuda/launch.h"

namespace lk::cuda {

bool batch_multiplies(const FragmentView& weight) {
    const Codec& codec = weight.codec;
    if (codec.groups_straddle_rows || codec.has_zero_units() || codec.is_raw()) return false;
    const bool whole_blocks = codec.group_size % FragmentLayout::kBlockDepth == 0 || weight.groups_per_row == 1;
    return whole_blocks || batch_codec(codec) == BatchCodec::e2m1_scaled;
}

BatchCodec batch_codec(const Codec& codec) {
    switch (codec.value_kind) {
        case ValueKind::affine: {
            const bool has_minimum =
                codec.offset_kind == OffsetKind::minimum || codec.offset_kind == OffsetKind::k_quant;
            return has_minimum ? BatchCodec::affine_minimum : BatchCodec::affine;
        }
        case ValueKind::table:
            return BatchCodec::table;
        case ValueKind::e2m1:
            break;
    }
    return codec.scale_kind == ScaleKind::e4m3 ? BatchCodec::e2m1_scaled : BatchCodec::e2m1;
}

BatchKernel batch_kernel(BatchCodec codec, lk_dtype dtype, int tokens) {
    switch (codec) {
        case BatchCodec::affine:
            return batch_affine(dtype, tokens);
        case BatchCodec::affine_minimum:
            return batch_affine_minimum(dtype, tokens);
        case BatchCodec::table:
            return batch_table(dtype, tokens);
        case BatchCodec::e2m1:
            return batch_e2m1(dtype, tokens);
        case BatchCodec::e2m1_scaled:
            break;
    }
    return batch_e2m1_scaled(dtype, tokens);
}

namespace {

int64_t slice_records(int64_t in_features, int slices) {
    return divide_up(divide_up(in_features, FragmentLayout::kRecordDepth), slices);
}

int64_t row_tiles(const FragmentView& weight) {
    return divide_up(weight.layout.panels(), BatchShape<BatchCodec::affine, 8>::kPanels);
}

int64_t tiles(const FragmentView& weight, int64_t tokens, int tile_tokens) {
    return row_tiles(weight) * divide_up(tokens, tile_tokens);
}

int blocks_of(const FragmentView& weight, int64_t tokens, const BatchChoice& choice) {
    const int64_t items = tiles(weight, tokens, choice.tokens) * (choice.slices_apart ? choice.slices : 1);
    return int(std::clamp<int64_t>(items, 1, choice.blocks));
}

}  // namespace

int batch_slices(int64_t in_features, int wanted) {
    const int64_t records = divide_up(in_features, FragmentLayout::kRecordDepth);
    return int(divide_up(records, slice_records(in_features, wanted)));
}

BatchScratch batch_scratch(const FragmentView& weight, lk_dtype dtype, int64_t tokens, const BatchChoice& choice) {
    if (choice.slices == 1) return {};
    const int64_t sum_bytes = batch_kernel(batch_codec(weight.codec), dtype, choice.tokens).sum_bytes;
    if (!choice.slices_apart) return {sum_bytes * blocks_of(weight, tokens, choice), 0};
    const int64_t tile_count = tiles(weight, tokens, choice.tokens);
    return {sum_bytes * tile_count * choice.slices, tile_count};
}

BatchLaunch batch_launch(const MatmulArguments& arguments, const BatchChoice& choice, float4* slice_sums,
                         uint32_t* arrivals) {
    const FragmentView& weight = arguments.weight;
    const BatchArguments of_kernel{
        .matmul = arguments,
        .weight = BatchWeight(weight),
        .slice_sums = slice_sums,
        .arrivals = arrivals,
        .row_tiles = int32_t(row_tiles(weight)),
        .token_tiles = int32_t(divide_up(arguments.tokens.count, choice.tokens)),
        .slices = choice.slices,
        .slice_records = int32_t(slice_records(weight.layout.in_features, choice.slices)),
        .slices_apart = choice.slices_apart,
    };
    return {batch_kernel(batch_codec(weight.codec), arguments.x.dtype, choice.tokens),
            blocks_of(weight, arguments.tokens.count, choice), of_kernel};
}

void batch(const Stream& stream, const BatchLaunch& call, bool programmatic) {
    launch(call.kernel.function,
           {.grid = dim3(unsigned(call.blocks)),
            .block = dim3(unsigned(call.kernel.threads)),
            .shared_bytes = uint32_t(call.kernel.shared_bytes),
            .stream = stream.handle(),
            .programmatic = programmatic},
           call.arguments);
}

}  // namespace lk::cuda
