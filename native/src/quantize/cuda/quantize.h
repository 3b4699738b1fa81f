// Quantization to NF4 on a GPU, by bitsandbytes' rules.
#pragma once

#include "lorakernels.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// Codes of w, two to a byte in flat order, and the absmax of every group: NaN where an element is not finite.
void quantize_groups(const Stream& stream, const lk_matrix& w, int64_t group_size, uint8_t* codes, float* absmax);

// Double quantization of absmax, every value of which is finite.
struct NestedScales {
    const float* map;  // the 256 values of the dynamic map
    uint8_t* codes;
    float* outer_scales;
    float* offset;
};
void quantize_scales(const Stream& stream, const float* absmax, int64_t groups, int64_t outer_group_size,
                     const NestedScales& scales);

}  // namespace lk::cuda
