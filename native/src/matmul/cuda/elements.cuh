// Elements of matrices whose type is a template parameter, or known at run time only.
#pragma once

#include "core/matrix.h"
#include "platform/cuda/convert.cuh"

namespace lk::cuda {

template <class T>
__device__ __forceinline__ float widen(T value) {
    if constexpr (sizeof(T) == sizeof(float)) {
        return value;
    } else {
        return to_float<T>(value.bits);
    }
}

// The value first, then the store: GCC does not show the emulated device `*place = f()` where f returns a struct.
template <class T>
__device__ __forceinline__ void store_rounded(T* place, float value) {
    const T rounded = round_to<T>(value);
    *place = rounded;
}

// Calls f with a null pointer of the dtype's C++ type. All threads of a warp have the same dtype.
template <class F>
__device__ __forceinline__ void with_element_type(lk_dtype dtype, F&& f) {
    if (dtype == LK_DTYPE_F16) {
        f(static_cast<const Half*>(nullptr));
    } else if (dtype == LK_DTYPE_BF16) {
        f(static_cast<const BFloat16*>(nullptr));
    } else {
        f(static_cast<const float*>(nullptr));
    }
}

__device__ __forceinline__ float load_element(const void* data, lk_dtype dtype, int64_t index) {
    float value = 0;
    with_element_type(dtype, [&]<class T>(const T*) { value = widen(static_cast<const T*>(data)[index]); });
    return value;
}

__device__ __forceinline__ bool is_finite(float value) {
    return (float_bits(value) & 0x7f800000u) != 0x7f800000u;
}

}  // namespace lk::cuda
