#include "matmul/cuda/decode_kernel_of.cuh"

namespace lk::cuda {

MatmulKernel decode_affine_kernel(const FragmentView& weight, lk_dtype dtype) {
    if (weight.codec.offset_kind == OffsetKind::none) {
        return find_decode_kernel<AffineValues, Correction::constant, 32, 64, 128>(weight, dtype);
    }
    return find_decode_kernel<AffineValues, Correction::offsets, 32, 64, 128>(weight, dtype);
}

}  // namespace lk::cuda
