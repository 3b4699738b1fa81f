#include "platform/cuda/device_heap.h"

#include "platform/cuda/device.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

// Allows cudaMalloc and cudaFree on this thread whatever is being captured by whom: neither touches a captured stream.
class AllowedDuringCapture {
  public:
    AllowedDuringCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    ~AllowedDuringCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    AllowedDuringCapture(const AllowedDuringCapture&) = delete;
    AllowedDuringCapture& operator=(const AllowedDuringCapture&) = delete;

  private:
    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace

lk_allocator DeviceHeap::allocator() {
    return {
        this,
        [](void* user, int64_t bytes, int64_t) { return static_cast<DeviceHeap*>(user)->allocate(bytes); },
        [](void* user, void* memory, int64_t) { static_cast<DeviceHeap*>(user)->release(memory); },
    };
}

// NULL when there is no memory left, as an allocator says it; anything else has a better explanation.
void* DeviceHeap::allocate(int64_t bytes) {
    const CurrentContext current(device_);
    const AllowedDuringCapture allowed;
    void* memory = nullptr;
    const cudaError_t error = cudaMalloc(&memory, size_t(bytes));
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return nullptr;
    }
    check(error, "cudaMalloc");
    return memory;
}

// Errors are not reported: called by destructors, and what goes wrong is a lost device whose memory is gone anyway.
void DeviceHeap::release(void* memory) noexcept {
    try {
        device_.release_gate().pass([&device = device_, memory] {
            const CurrentContext current(device);
            const AllowedDuringCapture allowed;
            cudaFree(memory);
        });
    } catch (const Error&) {
    }
}

}  // namespace lk::cuda
