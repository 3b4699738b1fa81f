// The end of every matmul kernel: bias, the repair of overflow, one rounding.
#pragma once

#include "linear/cuda/exact.cuh"
#include "matmul/cuda/arguments.h"

namespace lk::cuda {

// See exact.cuh.
template <class T>
LK_RARE float undo_overflow(const MatmulArguments& arguments, int64_t token, int64_t n, float total) {
    if (!row_is_finite<T>(arguments.x, token) || !adapters_are_finite(arguments.adapters, token)) return total;
    double exact = exact_product<T>(arguments.x, token, arguments.weight, n);
    exact = exact_adapters_of<T>(arguments.x, arguments.adapters, token, n, exact);
    if (arguments.bias.data != nullptr) exact += double(load_element(arguments.bias.data, arguments.bias.dtype, n));
    return float(exact);
}

// The bias of column n of y.
__device__ __forceinline__ float bias_at(const MatmulArguments& arguments, int64_t n) {
    return arguments.bias.data == nullptr ? 0.0f : load_element(arguments.bias.data, arguments.bias.dtype, n);
}

// What is stored as y[token, n], given the sum of base and adapters.
template <class T>
__device__ __forceinline__ T finished(const MatmulArguments& arguments, int64_t token, int64_t n, float sum,
                                      float bias) {
    float total = sum + bias;
    if (!is_finite(total)) total = undo_overflow<T>(arguments, token, n, total);
    return round_to<T>(total);
}

}  // namespace lk::cuda
