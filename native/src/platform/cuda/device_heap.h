// Device memory by cudaMalloc, as lk_allocator. Aligned to 256 bytes, whatever is asked for: that is all a GPU needs.
#pragma once

#include <cstdint>

#include "lorakernels.h"

namespace lk::cuda {

class Device;

class DeviceHeap {
  public:
    explicit DeviceHeap(Device& device) : device_(device) {}

    // Any thread may allocate and release, with any context current, or none. Releasing waits for enqueued work.
    lk_allocator allocator();

  private:
    void* allocate(int64_t bytes);
    void release(void* memory);

    Device& device_;
};

}  // namespace lk::cuda
