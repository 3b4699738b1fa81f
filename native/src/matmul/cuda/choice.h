// Which kernel computes y = x * W^T, and how its work is divided: a table for each architecture, and a model that it
// feeds.
//
// The batch kernels' cost is counted in cycles of one multiprocessor. A block that multiplies a record (128 rows of W,
// 128 k) with a tile of tokens takes `record_cycles` of it: the largest of
//
//   memory        8.7 KB of codes and scales at the multiprocessor's share of the bandwidth
//   tensor cores  tokens / 8 * 64 products m16n8k16, at a quarter of the multiprocessor's rate each
//   issue         16 words decoded by each of 4 warps, the products, the fp32 sums
//
// and an item of work (a tile, or a slice of one) besides `item_cycles` until its pipeline runs and its results are
// stored. A slice's sums go to L2 and come back: 1 KB a token of the tile, 32 bytes a cycle. Multiprocessors work side
// by side, so that the items of the fullest one count. Decoding, the batch kernels' rival for up to eight tokens, has
// no sums to exchange and keeps more of W under way; it is taken where it is allowed.
//
// The figures are calculated from the vendor's (A100 80 GB, RTX 3090, RTX 4090, H200; for mma.sync on the latter 62 %
// of its rate); none is measured. Measurement replaces them, and nothing else.
//
// Batch-invariant: one reduction for each N and K, and so one kernel and one number of slices, at every number of
// tokens. They are those of a single token on the architecture's nominal multiprocessors, however many the device has.
#pragma once

#include "matmul/cuda/batch.h"
#include "matmul/cuda/plain.h"
#include "platform/cuda/device.h"

namespace lk::cuda {

enum class MatmulPath : uint8_t {
    decode,  // up to eight tokens
    batch,   // any number of tokens
    plain,   // fp32, or groups that straddle rows
};

struct MatmulChoice {
    MatmulPath path;
    int decode_warps;
    BatchChoice batch;
    PlainChoice plain;
};

// Whatever the weight and the number of tokens, up to `tokens`: bytes of the slices' sums, and tiles that meet.
int64_t most_sum_bytes(int64_t out_features, int64_t in_features, int64_t tokens, const DeviceFacts& device);
int64_t most_arrivals();

MatmulChoice choose_matmul(const FragmentView& weight, lk_dtype dtype, int64_t tokens, const DeviceFacts& device,
                           bool batch_invariant);

}  // namespace lk::cuda
