// From the ABI's lk_dtype to C++ types.
#pragma once

#include "core/error.h"
#include "core/numeric.h"
#include "lorakernels.h"

namespace lk {

constexpr bool is_dtype(int value) {
    return value >= LK_DTYPE_F32 && value <= LK_DTYPE_BF16;
}

constexpr int64_t size_of(lk_dtype dtype) {
    return dtype == LK_DTYPE_F32 ? 4 : 2;
}

constexpr const char* name_of(lk_dtype dtype) {
    return dtype == LK_DTYPE_F32 ? "f32" : dtype == LK_DTYPE_F16 ? "f16" : "bf16";
}

// Calls f with a null pointer of the dtype's C++ type: with_dtype(d, [&]<class T>(T*) { ... }).
template <class F>
decltype(auto) with_dtype(lk_dtype dtype, F&& f) {
    switch (dtype) {
        case LK_DTYPE_F32:
            return f(static_cast<float*>(nullptr));
        case LK_DTYPE_F16:
            return f(static_cast<Half*>(nullptr));
        case LK_DTYPE_BF16:
            return f(static_cast<BFloat16*>(nullptr));
    }
    fail(LK_INTERNAL, "dtype %d passed the ABI's checks", static_cast<int>(dtype));
}

}  // namespace lk
