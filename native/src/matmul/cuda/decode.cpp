#include "matmul/cuda/decode.h"

namespace lk::cuda {

MatmulKernel decode_kernel_for(const FragmentView& weight, lk_dtype dtype) {
    const Codec& codec = weight.codec;
    const bool fits =
        !codec.groups_straddle_rows && !codec.has_zero_units() && !codec.is_raw() && codec.group_size % 16 == 0;
    if (dtype == LK_DTYPE_F32 || !fits) return nullptr;
    switch (codec.value_kind) {
        case ValueKind::affine:
            return decode_affine_kernel(weight, dtype);
        case ValueKind::table:
            return decode_table_kernel(weight, dtype);
        case ValueKind::e2m1:
            break;
    }
    return decode_e2m1_kernel(weight, dtype);
}

LaunchConfig decode_launch(const MatmulArguments& arguments, int warps) {
    return {.grid = dim3(unsigned(arguments.weight.layout.panels())),
            .block = dim3(unsigned(warps) * 32),
            .shared_bytes = uint32_t(decode_shared_bytes(arguments.weight, arguments.tokens.count,
                                                         arguments.adapters.plan.counts != nullptr, warps))};
}

}  // namespace lk::cuda
