#include "platform/cuda/hook_allocator.h"

#include "platform/cuda/status.h"

namespace lk::cuda {

lk_allocator HookAllocator::allocator() {
    return {
        this,
        [](void* user, int64_t bytes, int64_t alignment) {
            return static_cast<HookAllocator*>(user)->allocate(bytes, alignment);
        },
        [](void* user, void* memory, int64_t bytes) { static_cast<HookAllocator*>(user)->release(memory, bytes); },
    };
}

void* HookAllocator::allocate(int64_t bytes, int64_t alignment) {
    void* memory = hook_.allocate(hook_.user, bytes, alignment);
    if (memory == nullptr) return nullptr;
    const std::lock_guard lock(mutex_);
    if (++blocks_ == 1) kept_ = shared_from_this();
    return memory;
}

// Errors are not reported: called by destructors, and on a lost device nothing runs any more that could use the block.
void HookAllocator::release(void* memory, int64_t bytes) {
    device_.release_gate().pass([this, memory, bytes] {
        try {
            const CurrentContext current(device_);
            device_.streams().synchronize();
        } catch (const Error&) {
        }
        hook_.release(hook_.user, memory, bytes);
        std::shared_ptr<HookAllocator> last;
        const std::lock_guard lock(mutex_);
        if (--blocks_ == 0) last.swap(kept_);
    });
}

}  // namespace lk::cuda
