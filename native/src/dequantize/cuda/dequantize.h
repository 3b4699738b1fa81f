// y[N, K] = W on a GPU.
#pragma once

#include "packing/cuda/weight_view.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

void dequantize(const Stream& stream, const WeightView& weight, const lk_matrix& y);

}  // namespace lk::cuda
