// y = x * W^T + adapters + bias on a GPU, rounded once.
#pragma once

#include "lora/cuda/device_plan.h"
#include "packing/cuda/fragment_view.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// Throws LK_ARCHITECTURE_NOT_BUILT where the library has no kernels for the current context's device.
void check_kernels();

// adapters.values hold x * A^T. bias.data may be NULL.
void linear(const Stream& stream, const lk_matrix& x, const FragmentView& weight, const Adapters& adapters,
            const lk_matrix& bias, const lk_matrix& y);

}  // namespace lk::cuda
