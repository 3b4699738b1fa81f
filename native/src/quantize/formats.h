// Quantization by the CPU, a function a family of formats.
#pragma once

#include "quantize/quantize.h"

namespace lk::cpu {

void quantize_bitsandbytes(const quantizing::Path& path, const lk_matrix& w, lk_weight_tensors& tensors);
void quantize_int4(const quantizing::Path& path, const lk_matrix& w, lk_weight_tensors& tensors);

}  // namespace lk::cpu
