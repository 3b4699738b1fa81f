// Units of scales in the order in which panels are walked.
#pragma once

#include "packing/weight.h"

namespace lk::cpu::packing {

// Fills a panel's units of a weight whose rows begin units. `packed` is all panels'.
void pack_units(const lk_weight_tensors& tensors, const lk_weight& weight, uint8_t* packed, int64_t panel);

}  // namespace lk::cpu::packing
