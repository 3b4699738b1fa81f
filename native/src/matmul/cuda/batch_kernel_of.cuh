// From run-time values to an instance of the batch kernel.
#pragma once

#include "matmul/cuda/batch.cuh"
#include "matmul/cuda/batch_kernels.h"

namespace lk::cuda {

template <BatchCodec Codec, class T, int Tokens>
BatchKernel batch_kernel_of() {
    using Shape = BatchShape<Codec, Tokens>;
    return {&batch_kernel<Codec, T, Tokens>, Shape::kThreads, int(sizeof(BatchShared<Codec, T, Shape>)),
            StoredSums<Shape>::kTileVectors * int(sizeof(float4))};
}

template <BatchCodec Codec>
BatchKernel batch_kernel_of(lk_dtype dtype, int tokens) {
    const auto of_type = [&]<class T>(T*) {
        switch (tokens) {
            case 8:
                return batch_kernel_of<Codec, T, 8>();
            case 32:
                return batch_kernel_of<Codec, T, 32>();
            case 64:
                return batch_kernel_of<Codec, T, 64>();
            default:
                return batch_kernel_of<Codec, T, 128>();
        }
    };
    return dtype == LK_DTYPE_F16 ? of_type(static_cast<Half*>(nullptr)) : of_type(static_cast<BFloat16*>(nullptr));
}

}  // namespace lk::cuda
