// Which instance of the decode kernel a weight needs.
#pragma once

#include "matmul/cuda/decode.cuh"
#include "matmul/cuda/decode.h"

namespace lk::cuda {

template <template <class> class Values, Correction C, int Depth>
MatmulKernel find_decode_kernel_of_depth(lk_dtype dtype) {
    return dtype == LK_DTYPE_F16 ? decode_kernel<Values<Half>, Half, C, Depth>
                                 : decode_kernel<Values<BFloat16>, BFloat16, C, Depth>;
}

// Of the weight's interval, one of Depths.
template <template <class> class Values, Correction C, int... Depths>
MatmulKernel find_decode_kernel(const FragmentView& weight, lk_dtype dtype) {
    const int depth = interval_depth(weight.codec.group_size);
    MatmulKernel found = nullptr;
    ((depth == Depths ? void(found = find_decode_kernel_of_depth<Values, C, Depths>(dtype)) : void()), ...);
    return found;
}

}  // namespace lk::cuda
