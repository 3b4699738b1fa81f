#include "platform/cuda/release_gate.h"

#include "core/error.h"
#include "platform/cuda/capture_mode.h"

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
    for (auto& release : released) pass(std::move(release));
}

void ReleaseGate::pass(std::function<void()> release) noexcept {
    const std::lock_guard lock(mutex_);  // until the release has run, so that no capture begins meanwhile
    if (closed_ > 0) {
        waiting_.push_back(std::move(release));
        return;
    }
    try {
        const AllowedDuringCapture allowed;
        release();
    } catch (const Error&) {
    }
}

}  // namespace lk::cuda
