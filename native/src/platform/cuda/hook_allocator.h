// Device memory from the host's allocator hook.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "platform/cuda/device.h"

namespace lk::cuda {

// A host's allocator hook for device memory. Before a block goes back to the host, the streams that may still use it
// are waited for, which cudaFree would do by itself; during a capture the block waits for its end. If the host captures
// a stream that it has lent, nobody says when that ends: the block then goes back with a later one.
class HookAllocator : public std::enable_shared_from_this<HookAllocator> {
  public:
    HookAllocator(Device& device, const lk_allocator& hook) : device_(device), hook_(hook) {}

    // Valid as long as the owner or a block from it lives.
    lk_allocator allocator();

  private:
    void* allocate(int64_t bytes, int64_t alignment);
    void release(void* memory, int64_t bytes);
    void release_waiting();

    Device& device_;
    lk_allocator hook_;
    std::mutex mutex_;
    int64_t blocks_ = 0;
    std::vector<std::pair<void*, int64_t>> waiting_;
    std::shared_ptr<HookAllocator> kept_;  // itself, while blocks are out
};

}  // namespace lk::cuda
