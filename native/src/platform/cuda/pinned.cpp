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

// The gate, since freeing page-locked memory ends a capture too.
PinnedBlock::~PinnedBlock() {
    try {
        device_.release_gate().pass([&device = device_, data = data_] {
            const CurrentContext current(device);
            cudaFreeHost(data);
        });
    } catch (const Error&) {  // a lost device; its memory is gone with it
    }
}

PinnedRing::PinnedRing(Device& device, int64_t slot_bytes, int slots, const char* purpose)
    : slot_bytes_(round_up(slot_bytes, 256)), memory_(device, slot_bytes_ * slots, purpose) {
    for (int slot = 0; slot < slots; ++slot) events_.emplace_back(device);
}

// The events outlive the memory's release; it must not be freed under a copy.
PinnedRing::~PinnedRing() {
    try {
        const CurrentContext current(memory_.device());
        for (const Event& event : events_) event.synchronize();
    } catch (const Error&) {  // a lost device: nothing reads the slots any more
    }
}

char* PinnedRing::acquire() {
    events_[size_t(next_)].synchronize();
    return memory_.data() + next_ * slot_bytes_;
}

void PinnedRing::submit(const Stream& stream) {
    events_[size_t(next_)].record(stream);
    next_ = (next_ + 1) % int(events_.size());
}

}  // namespace lk::cuda
