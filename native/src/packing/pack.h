// Between a checkpoint's bytes and a packed weight: what is the same on all devices, and packing by the CPU.
#pragma once

#include "packing/path.h"
#include "packing/weight.h"

namespace lk {

// Sets what the tensors say about a weight, whose format and tensors are set.
void describe(const lk_weight_tensors& tensors, lk_weight& weight);

// Bytes of the arrays whose layout depends on the device.
struct LayoutSizes {
    int64_t codes = 0;
    int64_t scales = 0;
    int64_t zero_points = 0;
};
// Allocates all of a described weight's arrays.
void allocate(const lk_allocator& allocator, const LayoutSizes& sizes, lk_weight& weight);

}  // namespace lk

namespace lk::cpu {

// Describes, allocates and fills a weight in host memory.
void pack(const packing::Path& path, const lk_allocator& allocator, const lk_weight_tensors& tensors,
          lk_weight& weight);

// The inverse, bit for bit.
void unpack(const lk_weight& weight, const lk_weight_tensors& tensors_out);

}  // namespace lk::cpu
