#include "matmul/cuda/batch_kernel_of.cuh"

namespace lk::cuda {

BatchKernel batch_e2m1(lk_dtype dtype, int tokens) {
    return batch_kernel_of<BatchCodec::e2m1>(dtype, tokens);
}

}  // namespace lk::cuda
