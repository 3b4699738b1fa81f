#include "platform/cuda/pinned.h"

#include "platform/cuda/status.h"

namespace lk::cuda {

PinnedBlock::PinnedBlock(Device& device, int64_t bytes, const char* purpose) : device_(device), bytes_(bytes) {
    const CurrentContext current(device);
    const cudaError_t error = cudaMallocHost(&data_, size_t(bytes));
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        fail(LK_OUT_OF_MEMORY, "out of page-locked host memory: %lld bytes for %s", static_cast<long long>(bytes),
             purpose);
    }
    check(error, "cudaMallocHost");
}

PinnedBlock::~PinnedBlock() {
    device_.release_gate().pass([&device = device_, data = data_] {
        const CurrentContext current(device);
        cudaFreeHost(data);
    });
}

PinnedRing::PinnedRing(Device& device, int64_t slot_bytes, int slots, const char* purpose)
    : slot_bytes_(round_up(slot_bytes, 256)),
      memory_(std::make_shared<PinnedBlock>(device, slot_bytes_ * slots, purpose)) {
    for (int slot = 0; slot < slots; ++slot) events_.emplace_back(device);
}

// The memory is freed when no copy uses it, and the events tell.
PinnedRing::~PinnedRing() {
    auto events = std::make_shared<const std::vector<Event>>(std::move(events_));
    Device& device = memory_->device();
    device.release_gate().pass([&device, events, memory = std::move(memory_)]() mutable {
        const CurrentContext current(device);
        for (const Event& event : *events) event.synchronize();
        memory = nullptr;
    });
}

char* PinnedRing::acquire() {
    events_[size_t(next_)].synchronize();
    return memory_->data() + next_ * slot_bytes_;
}

void PinnedRing::submit(const Stream& stream) {
    events_[size_t(next_)].record(stream);
    next_ = (next_ + 1) % int(events_.size());
}

}  // namespace lk::cuda
