// LoRA on a GPU. Launches depend on shapes and capacities only; what the plan holds is read on the device.
#pragma once

#include "lora/cuda/device_plan.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// adapters.values = x * A^T of every entry. `items` is how many items the plan may hold.
void shrink(const Stream& stream, const lk_matrix& x, const Adapters& adapters, int64_t items);

// s = 0: what entries do not fill.
void clear(const Stream& stream, const lk_matrix& s);

// y += the adapters' updates, from adapters.values, which were computed from x, or are all that is known.
void expand(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& y);
void expand_values(const Stream& stream, const Adapters& adapters, const lk_matrix& y);

}  // namespace lk::cuda
