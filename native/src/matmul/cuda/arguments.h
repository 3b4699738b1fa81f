// What the kernels of y = x * W^T + adapters + bias get.
#pragma once

#include "lora/cuda/device_plan.h"
#include "packing/cuda/fragment_view.h"
#include "platform/cuda/launch.h"

namespace lk::cuda {

// Rows of x as tensor-core kernels read them: every row begins at 16 bytes, has the weight's packed order of k, and
// ends at a multiple of 32 k. It is the caller's x where that is so already.
struct Tokens {
    const void* data;
    int64_t row_bytes;  // from a row to the next
    int32_t count;
};

struct MatmulArguments {
    FragmentView weight;
    Tokens tokens;
    lk_matrix x;  // the caller's
    Adapters adapters;
    lk_matrix bias;  // data may be NULL
    lk_matrix y;
};

using MatmulKernel = void (*)(MatmulArguments);

}  // namespace lk::cuda
