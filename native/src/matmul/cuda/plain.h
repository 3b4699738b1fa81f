// y = x * W^T without tensor cores, in fp32 throughout: for fp32 activations, for weights whose groups straddle rows,
// and for raw weights.
#pragma once

#include "matmul/cuda/arguments.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

struct PlainChoice {
    int tokens;  // of a tile: 8 or 64
    int slices;  // of K, each a block's; none may be empty
};

// `invariant`: slices depend on N and K only, and tiles are of one size, so that a row's bits do not depend on its
// batch.
PlainChoice plain_choice(const FragmentLayout& layout, int64_t tokens, int multiprocessors, bool invariant);

// Arrivals must be 0 before the first call, and are so after each.
struct PlainScratch {
    int64_t sums;  // floats
    int64_t arrivals;
};
PlainScratch plain_scratch(const FragmentLayout& layout, int64_t tokens, const PlainChoice& choice);

// `programmatic`: the kernel ahead in the stream computes the adapters' values and lets this one start early.
void plain(const Stream& stream, const MatmulArguments& arguments, const PlainChoice& choice, float4* sums,
           uint32_t* arrivals, bool programmatic);

}  // namespace lk::cuda
