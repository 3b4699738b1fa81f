// Between a checkpoint's tensors and fragments, on the device.
#pragma once

#include "packing/weight.h"
#include "platform/cuda/stream.h"
#include "platform/cuda/upload.h"

namespace lk::cuda {

// Allocates and fills the weight's memory, the tensors' bytes going to the device as they are. Its format and tensors
// are set. Complete when it returns. For that long the device holds the tensors beside the packed weight.
void pack(const Stream& stream, Uploader& uploader, const lk_allocator& allocator, const lk_weight_tensors& tensors,
          lk_weight& weight);

// The inverse, bit for bit.
void unpack(const Stream& stream, Uploader& uploader, const lk_allocator& allocator, const lk_weight& weight,
            const lk_weight_tensors& tensors_out);

}  // namespace lk::cuda
