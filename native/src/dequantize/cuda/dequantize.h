// y[N, K] = W on a GPU.
#pragma once

#include "packing/cuda/fragment_view.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

void dequantize(const Stream& stream, const FragmentView& weight, const lk_matrix& y);

}  // namespace lk::cuda
