#include "platform/cuda/device_heap.h"

#include "platform/cuda/capture_mode.h"
#include "platform/cuda/device.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
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

void DeviceHeap::release(void* memory) {
    device_.release_gate().pass([&device = device_, memory] {
        const CurrentContext current(device);
        cudaFree(memory);
    });
}

}  // namespace lk::cuda
