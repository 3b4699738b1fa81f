// y = x * W^T on tensor cores for any number of tokens, host side.
#pragma once

#include "matmul/cuda/arguments.h"
#include "matmul/cuda/batch_shape.h"
#include "matmul/cuda/batch_weight.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

struct BatchArguments {
    MatmulArguments matmul;
    BatchWeight weight;
    float4* slice_sums;
    uint32_t* arrivals;  // a zero for each tile where slices have blocks of their own
    int32_t row_tiles;
    int32_t token_tiles;
    int32_t slices;         // of K
    int32_t slice_records;  // of every slice but the last
    bool slices_apart;      // each has a block of its own; else a block has all of a tile's
};

// A compiled kernel.
struct BatchKernel {
    void (*function)(BatchArguments);
    int threads;
    int shared_bytes;  // dynamic
    int sum_bytes;     // of a tile's stored sums
};

// How a call is divided.
struct BatchChoice {
    int tokens;         // of a tile: 8, 32, 64 or 128
    int slices;         // of K
    bool slices_apart;  // a block for each
    int blocks;         // at most
};

// Whether these kernels multiply with the weight: its groups are whole k-blocks, NVFP4's halves, or one for each row,
// and begin with rows.
bool batch_multiplies(const FragmentView& weight);
BatchCodec batch_codec(const Codec& codec);
BatchKernel batch_kernel(BatchCodec codec, lk_dtype dtype, int tokens);

// Slices that are not empty, of a K that is to be cut into about so many.
int batch_slices(int64_t in_features, int wanted);

// What a call needs of scratch memory. Arrivals must be 0 before the first call, and are so after each.
struct BatchScratch {
    int64_t sum_bytes;
    int64_t arrivals;
};
BatchScratch batch_scratch(const FragmentView& weight, lk_dtype dtype, int64_t tokens, const BatchChoice& choice);

struct BatchLaunch {
    BatchKernel kernel;
    int blocks;
    BatchArguments arguments;
};
BatchLaunch batch_launch(const MatmulArguments& arguments, const BatchChoice& choice, float4* slice_sums,
                         uint32_t* arrivals);
// `programmatic`: the kernel ahead in the stream computes the adapters' values and lets this one start early.
void batch(const Stream& stream, const BatchLaunch& launch, bool programmatic);

}  // namespace lk::cuda
