// Quantization to NF4 by bitsandbytes' rules.
#pragma once

#include "lorakernels.h"

namespace lk::cpu {

// w[N, K] to codes and scales, nested where tensors.outer_group_size is not 0. Buffers have the sizes that the format
// sets. Throws LK_INVALID_ARGUMENT for a non-finite element.
void quantize(const lk_matrix& w, lk_weight_tensors& tensors);

}  // namespace lk::cpu
