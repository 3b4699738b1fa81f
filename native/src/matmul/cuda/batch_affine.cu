#include "matmul/cuda/batch_kernel_of.cuh"

namespace lk::cuda {

BatchKernel batch_affine(lk_dtype dtype, int tokens) {
    return batch_kernel_of<BatchCodec::affine>(dtype, tokens);
}

}  // namespace lk::cuda
