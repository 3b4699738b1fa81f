// fp32 sums of large finite numbers can reach both infinities and cancel to NaN where the exact sum is a number. Where
// the inputs are finite, such results are computed again in double precision, one element by one thread, straight from
// the formulas.
#pragma once

#include "lora/cuda/adapters.cuh"
#include "packing/cuda/decode.cuh"

namespace lk::cuda {

// For the functions that kernels call then: not inlined, they cost them no registers.
#define LK_RARE __device__ __attribute__((noinline))

template <class T>
__device__ __forceinline__ bool row_is_finite(const lk_matrix& matrix, int64_t row) {
    const T* const elements = row_of<const T>(matrix, row);
    for (int64_t c = 0; c < matrix.columns; ++c) {
        if (!is_finite(widen(elements[c]))) return false;
    }
    return true;
}

__device__ __forceinline__ bool adapters_are_finite(const Adapters& adapters, int64_t row) {
    bool finite = true;
    for_each_entry(adapters, row, [&](int32_t entry, const LoraDescriptor* slices) {
        for_each_slice(adapters, entry, slices,
                       [&](const LoraDescriptor& slice, const float*) { finite = finite && slice.finite != 0; });
    });
    return finite;
}

// x[row] . W[n]
template <class T>
__device__ __forceinline__ double exact_product(const lk_matrix& x, int64_t row, const FragmentView& weight,
                                                int64_t n) {
    const T* const elements = row_of<const T>(x, row);
    double sum = 0;
    for (int64_t k = 0; k < x.columns; ++k) {
        const T element = elements[weight.order == nullptr ? k : weight.order[k]];
        sum += double(widen(element)) * double(weight_at(weight, n, k));
    }
    return sum;
}

// x[row] . A[rank]
template <class T>
__device__ __forceinline__ double exact_value(const lk_matrix& x, int64_t row, const LoraDescriptor& slice,
                                              int64_t rank) {
    const T* const elements = row_of<const T>(x, row);
    double sum = 0;
    for (int64_t k = 0; k < x.columns; ++k) {
        sum += double(widen(elements[k])) * double(load_element(slice.a, slice.a_dtype, rank * x.columns + k));
    }
    return sum;
}

// A total at column n with the row's adapters; value(slice, values, rank) is an element of x * A^T.
template <class Value>
__device__ __forceinline__ double exact_adapters(const Adapters& adapters, int64_t row, int64_t n, double total,
                                                 const Value& value) {
    for_each_entry(adapters, row, [&](int32_t entry, const LoraDescriptor* slices) {
        const double weight = adapters.plan.weights[entry];
        for_each_slice(adapters, entry, slices, [&](const LoraDescriptor& slice, const float* values) {
            const int64_t column = n - slice.first_column;
            if (column < 0 || column >= slice.columns) return;
            double sum = 0;
            for (int32_t rank = 0; rank < slice.rank; ++rank) {
                sum += value(slice, values, rank) *
                       double(load_element(slice.b, slice.b_dtype, rank * slice.columns + column));
            }
            const float* vector = vectors_of(slice.b, slice.b_dtype, slice.rank, slice.columns) + column;
            if ((slice.vectors & kHasBias) != 0) {
                sum += double(*vector);
                vector += slice.columns;
            }
            total += weight * double(slice.scale) * sum;
            if ((slice.vectors & kHasColumnScale) != 0) total *= double(*vector);
        });
    });
    return total;
}

// From x itself: the fp32 values may have overflowed as well.
template <class T>
__device__ __forceinline__ double exact_adapters_of(const lk_matrix& x, const Adapters& adapters, int64_t row,
                                                    int64_t n, double total) {
    return exact_adapters(adapters, row, n, total, [&](const LoraDescriptor& slice, const float*, int32_t rank) {
        return exact_value<T>(x, row, slice, rank);
    });
}

}  // namespace lk::cuda
