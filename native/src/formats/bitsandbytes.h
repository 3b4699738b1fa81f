// What bitsandbytes' 4-bit formats share: W[i] = table[q(i)] * absmax[i / group_size] with the flat index i = n * K +
// k, so that groups may run across rows; codes two to a byte, even i in the high nibble; absmax plain or nested (double
// quantization). Layout and operations are those of bitsandbytes' checkpoints.
#pragma once

#include "formats/format.h"

namespace lk::formats::bitsandbytes {

void check(const lk_weight_tensors& tensors);
TensorSizes sizes(const lk_weight_tensors& tensors);
// With the checkpoint's table, or else the format's own.
Codec codec(const lk_weight_tensors& tensors, const float table[16]);
Storage storage(const lk_weight_tensors& tensors);

}  // namespace lk::formats::bitsandbytes
