#include "matmul/cuda/decode_kernel_of.cuh"

namespace lk::cuda {

MatmulKernel decode_e2m1_kernel(const FragmentView& weight, lk_dtype dtype) {
    if (weight.codec.scale_kind == ScaleKind::e4m3) {
        return find_decode_kernel<ScaledE2m1Values, Correction::none, 16>(weight, dtype);
    }
    return find_decode_kernel<E2m1Values, Correction::none, 32>(weight, dtype);
}

}  // namespace lk::cuda
