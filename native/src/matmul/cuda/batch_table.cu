#include "matmul/cuda/batch_kernel_of.cuh"

namespace lk::cuda {

BatchKernel batch_table(lk_dtype dtype, int tokens) {
    return batch_kernel_of<BatchCodec::table>(dtype, tokens);
}

}  // namespace lk::cuda
