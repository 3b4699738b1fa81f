// Between a checkpoint's bytes and the packed layout, by the CPU.
#pragma once

#include "packing/weight.h"

namespace lk::cpu {

// Allocates the weight's memory on its device and sets all but what is in it. Its format and tensors are set.
void prepare(const lk_allocator& allocator, const lk_weight_tensors& tensors, lk_weight& weight);

// Bytes of the weight's arrays, without what an allocation adds.
struct PackedSizes {
    int64_t codes = 0;
    int64_t scales = 0;
    int64_t zero_points = 0;
    int64_t outer = 0;
    int64_t order = 0;
};
PackedSizes packed_sizes(const lk_weight& weight);

// Fills a prepared weight's arrays, which are here or will go to the device.
void pack(const lk_weight_tensors& tensors, const lk_weight& weight, const PackedArrays& packed);

// The inverse, bit for bit.
void unpack(const lk_weight& weight, const PackedArrays& packed, const lk_weight_tensors& tensors_out);

}  // namespace lk::cpu
