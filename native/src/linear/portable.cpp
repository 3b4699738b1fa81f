// The path for any processor the library was compiled for: blocks of 128 k of W are decoded to fp32 and multiplied with
// every row.
#include "core/dtype.h"
#include "linear/path.h"
#include "lora/descriptor.h"
#include "packing/decode_portable.h"
#include "platform/cpu/dot_portable.h"

namespace lk::cpu {
namespace {

void add_product(const lk_weight& weight, lk_compute, int64_t panel, const PreparedRows& x, int64_t begin, int64_t rows,
                 float (*totals)[PanelLayout::kColumns]) {
    DecodedBlock block;
    const ValueTable table(weight.codec.values);
    const float* x_rows[kChunkRows];
    const int64_t in_features = weight.layout.in_features;
    const int64_t stride = padded_depth(in_features);
    for (int64_t first_k = 0; first_k < in_features; first_k += kBlockDepth) {
        const int64_t depth = std::min(kBlockDepth, in_features - first_k);
        decode_block(weight, table, panel, first_k, depth, block);
        for (int64_t r = 0; r < rows; ++r) x_rows[r] = x.x + (begin + r) * stride + first_k;
        dot_block(x_rows, rows, block.values[0], round_up(weight.layout.columns(panel), 4), kBlockDepth,
                  round_up(depth, PanelLayout::kStepDepth), totals[0], PanelLayout::kColumns);
    }
}

template <class T>
void shrink(const T* tile, int64_t in_features, const float* const* x_rows, float* const* out, int64_t entries) {
    alignas(64) float block[kRankTile][kBlockDepth];
    alignas(64) float totals[kEntriesAtOnce * kRankTile] = {};
    const float* x[kEntriesAtOnce];
    for (int64_t first_k = 0; first_k < in_features; first_k += kBlockDepth) {
        const int64_t depth = std::min(kBlockDepth, in_features - first_k);
        const int64_t padded = round_up(depth, 4);
        for (int64_t r = 0; r < kRankTile; ++r) {
            const T* source = tile + r * in_features + first_k;
            for (int64_t k = 0; k < depth; ++k) block[r][k] = to_float(source[k]);
            std::fill(block[r] + depth, block[r] + padded, 0.0f);
        }
        for (int64_t e = 0; e < entries; ++e) x[e] = x_rows[e] + first_k;
        dot_block(x, entries, block[0], kRankTile, kBlockDepth, padded, totals, kRankTile);
    }
    for (int64_t e = 0; e < entries; ++e) std::copy_n(totals + e * kRankTile, kRankTile, out[e]);
}

void shrink_tile(const void* tile, lk_dtype dtype, int64_t in_features, const float* const* x_rows, float* const* out,
                 int64_t entries) {
    with_dtype(dtype, [&]<class T>(T*) { shrink(static_cast<const T*>(tile), in_features, x_rows, out, entries); });
}

void expand(const void* rows, lk_dtype dtype, int64_t stride, const float* values, int64_t ranks, int64_t columns,
            float* sums) {
    with_dtype(dtype, [&]<class T>(T*) {
        for (int64_t r = 0; r < ranks; ++r) {
            const T* b = static_cast<const T*>(rows) + r * stride;
            for (int64_t c = 0; c < columns; ++c) sums[c] += values[r] * to_float(b[c]);
        }
    });
}

}  // namespace

const Path kPortablePath = {
    .takes_straddling_groups = true,
    .prepared_row_bytes = [](int64_t) { return int64_t(0); },
    .prepare = [](const lk_weight&, lk_compute, const float*, int64_t, int64_t, uint8_t*) {},
    .add_product = add_product,
    .shrink_tile = shrink_tile,
    .expand = expand,
};

}  // namespace lk::cpu
