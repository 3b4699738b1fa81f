// y += s * B^T of the rows that have adapters: a thread computes one element. Other rows are not touched.
#include "core/dtype.h"
#include "linear/cuda/exact.cuh"
#include "lora/cuda/lora.h"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

constexpr int kExpandThreads = 128;
// Of a multiprocessor, at least. Where this is not said, ptxas saves registers for more of them and spills.
constexpr int kExpandBlocks = 4;

// exactly(row, n, before, total) is the element again, if fp32 overflowed.
template <class T, class Exactly>
__device__ __forceinline__ void expand_rows(const Adapters& adapters, const lk_matrix& y, const Exactly& exactly) {
    const int64_t pieces = divide_up(y.columns, kExpandThreads);
    for (int64_t item = blockIdx.x; item < y.rows * pieces; item += gridDim.x) {
        const int64_t row = item / pieces;
        const int64_t n = item % pieces * kExpandThreads + int64_t(threadIdx.x);
        if (n >= y.columns || !has_adapter(adapters, row)) continue;
        T* const element = row_of<T>(y, row) + n;
        const float before = widen(*element);
        float total[1] = {before};
        add_adapters<1, 1>(adapters, row, n, y.columns, total);
        if (!is_finite(total[0]) && is_finite(before)) total[0] = exactly(row, n, before, total[0]);
        store_rounded(element, total[0]);
    }
}

// See exact.cuh.
template <class T>
LK_RARE float undo_overflow(const lk_matrix& x, const Adapters& adapters, int64_t row, int64_t n, float before,
                            float total) {
    if (!adapters_are_finite(adapters, row) || !row_is_finite<T>(x, row)) return total;
    return float(double(before) + exact_adapters_of<T>(x, adapters, row, n));
}

// The same where the values are all that is known.
LK_RARE float undo_overflow(const Adapters& adapters, int64_t row, int64_t n, float before, float total) {
    if (!adapters_are_finite(adapters, row)) return total;
    bool finite = true;
    const double update = exact_adapters(adapters, row, n, [&](const LoraDescriptor&, const float* values, int32_t r) {
        finite = finite && is_finite(values[r]);
        return double(values[r]);
    });
    return finite ? float(double(before) + update) : total;
}

template <class T>
__global__ void __launch_bounds__(kExpandThreads, kExpandBlocks)
    expand_kernel(const __grid_constant__ lk_matrix x, const __grid_constant__ Adapters adapters,
                  const __grid_constant__ lk_matrix y) {
    expand_rows<T>(adapters, y, [&](int64_t row, int64_t n, float before, float total) {
        return undo_overflow<T>(x, adapters, row, n, before, total);
    });
}

template <class T>
__global__ void __launch_bounds__(kExpandThreads, kExpandBlocks)
    expand_values_kernel(const __grid_constant__ Adapters adapters, const __grid_constant__ lk_matrix y) {
    expand_rows<T>(adapters, y, [&](int64_t row, int64_t n, float before, float total) {
        return undo_overflow(adapters, row, n, before, total);
    });
}

LaunchConfig config(const Stream& stream, const lk_matrix& y) {
    return {.grid = grid_size(y.rows * divide_up(y.columns, kExpandThreads)),
            .block = kExpandThreads,
            .stream = stream.handle()};
}

}  // namespace

void expand(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& y) {
    with_dtype(y.dtype, [&]<class T>(T*) { launch(expand_kernel<T>, config(stream, y), x, adapters, y); });
}

void expand_values(const Stream& stream, const Adapters& adapters, const lk_matrix& y) {
    with_dtype(y.dtype, [&]<class T>(T*) { launch(expand_values_kernel<T>, config(stream, y), adapters, y); });
}

}  // namespace lk::cuda
