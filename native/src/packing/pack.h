// Between a checkpoint's bytes and the packed layout, on the CPU.
#pragma once

#include "packing/weight.h"

namespace lk::cpu {

// Allocates the weight's memory and fills it. Its format and tensors are set.
void pack(const lk_allocator& allocator, const lk_weight_tensors& tensors, lk_weight& weight);

// The inverse, bit for bit.
void unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out);

}  // namespace lk::cpu
