// y = x * W^T + adapters + bias on a GPU: which kernel, and the memory that it needs.
#pragma once

#include "matmul/cuda/choice.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// A product about to be computed.
struct MatmulPlan {
    MatmulChoice choice;
    bool staged;           // rows of x are copied first
    int64_t staged_bytes;  // of the copy
    int64_t sum_bytes;     // of partial sums
};

MatmulPlan plan_matmul(const FragmentView& weight, const lk_matrix& x, const DeviceFacts& device, bool batch_invariant);

// For any weight of N x K and up to so many tokens.
int64_t most_matmul_bytes(int64_t tokens, int64_t in_features, int64_t out_features, const DeviceFacts& device);

struct MatmulScratch {
    void* staged;
    float4* sums;
    uint32_t* arrivals;  // most_arrivals() of them, all 0; they are so again when the kernel is done
};

// The copy of x, if the plan has one: before the kernel that the product is to follow closely.
void stage(const Stream& stream, const MatmulPlan& plan, const MatmulScratch& scratch, MatmulArguments& arguments);

// `programmatic`: the kernel ahead in the stream computes the adapters' values and lets this one start early.
void matmul(const Stream& stream, const MatmulPlan& plan, const MatmulScratch& scratch,
            const MatmulArguments& arguments, bool programmatic);

}  // namespace lk::cuda
