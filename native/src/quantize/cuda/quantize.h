// Quantization on a GPU, by the rules of the CPU, bit for bit.
#pragma once

#include "lorakernels.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// NF4 or FP4: codes of w, two to a byte in flat order, and the absmax of every group: NaN where an element is not
// finite.
void quantize_groups(const Stream& stream, const lk_matrix& w, lk_format format, int64_t group_size, uint8_t* codes,
                     float* absmax);

// Double quantization of absmax, every value of which is finite.
struct NestedScales {
    const float* map;  // the 256 values of the dynamic map
    uint8_t* codes;
    float* outer_scales;
    float* offset;
};
void quantize_scales(const Stream& stream, const float* absmax, int64_t groups, int64_t outer_group_size,
                     const NestedScales& scales);

// int4 as LK_FORMAT_INT4_PACKED has it, but for the zero points.
struct Int4Tensors {
    uint32_t* codes = nullptr;
    void* scales = nullptr;    // not finite where an element is not, and where the scale is beyond its type
    uint8_t* zeros = nullptr;  // a byte a group; NULL for symmetric codes
    lk_dtype scale_dtype = LK_DTYPE_F32;
};
void quantize_int4(const Stream& stream, const lk_matrix& w, int64_t group_size, const Int4Tensors& out);

}  // namespace lk::cuda
