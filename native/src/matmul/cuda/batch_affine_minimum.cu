#include "matmul/cuda/batch_kernel_of.cuh"

namespace lk::cuda {

BatchKernel batch_affine_minimum(lk_dtype dtype, int tokens) {
    return batch_kernel_of<BatchCodec::affine_minimum>(dtype, tokens);
}

}  // namespace lk::cuda
