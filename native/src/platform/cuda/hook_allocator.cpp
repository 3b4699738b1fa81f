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

void HookAllocator::release(void* memory, int64_t bytes) {
    {
        const std::lock_guard lock(mutex_);
        waiting_.emplace_back(memory, bytes);
    }
    device_.release_gate().pass([this] { release_waiting(); });
}

void HookAllocator::release_waiting() {
    bool done = true;
    try {
        const CurrentContext current(device_);
        done = device_.streams().synchronize();
    } catch (const Error&) {  // a lost device: nothing runs there any more that could use the blocks
    }
    if (!done) return;
    std::vector<std::pair<void*, int64_t>> blocks;
    {
        const std::lock_guard lock(mutex_);
        blocks.swap(waiting_);
    }
    for (const auto& [memory, bytes] : blocks) hook_.release(hook_.user, memory, bytes);
    std::shared_ptr<HookAllocator> last;
    const std::lock_guard lock(mutex_);
    blocks_ -= int64_t(blocks.size());
    if (blocks_ == 0) last.swap(kept_);
}

}  // namespace lk::cuda
