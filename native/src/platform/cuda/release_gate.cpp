#include "platform/cuda/release_gate.h"

namespace lk::cuda {

void ReleaseGate::close() {
    const std::lock_guard lock(mutex_);
    ++closed_;
}

void ReleaseGate::open() {
    std::vector<std::function<void()>> released;
    {
        const std::lock_guard lock(mutex_);
        if (--closed_ == 0) released.swap(waiting_);
    }
    for (const auto& release : released) pass(release);
}

void ReleaseGate::pass(std::function<void()> release) {
    const std::lock_guard lock(mutex_);
    if (closed_ > 0) {
        waiting_.push_back(std::move(release));
    } else {
        release();  // under the lock, so that no capture begins meanwhile
    }
}

}  // namespace lk::cuda
