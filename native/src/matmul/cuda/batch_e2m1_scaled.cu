#include "matmul/cuda/batch_kernel_of.cuh"

namespace lk::cuda {

BatchKernel batch_e2m1_scaled(lk_dtype dtype, int tokens) {
    return batch_kernel_of<BatchCodec::e2m1_scaled>(dtype, tokens);
}

}  // namespace lk::cuda
