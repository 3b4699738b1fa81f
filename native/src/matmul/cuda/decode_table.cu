#include "matmul/cuda/decode_kernel_of.cuh"

namespace lk::cuda {

MatmulKernel decode_table_kernel(const FragmentView& weight, lk_dtype dtype) {
    return find_decode_kernel<TableValues, Correction::none, 32, 64, 128>(weight, dtype);
}

}  // namespace lk::cuda
