#include "platform/cuda/upload.h"

#include <algorithm>
#include <cstring>

#include "platform/cpu/thread_pool.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

// One slot is filled while the other one is on its way.
constexpr int64_t kSlotBytes = int64_t(4) << 20;
constexpr int kSlots = 2;
// What a thread copies at a time.
constexpr int64_t kPieceBytes = int64_t(256) << 10;
// From here on a copy is worth a ring.
constexpr int64_t kLargeBytes = int64_t(1) << 20;

void copy_with_all_threads(char* destination, const char* source, int64_t bytes) {
    cpu::ThreadPool::shared().parallel_for(divide_up(bytes, kPieceBytes), [&](int64_t piece) {
        const int64_t first = piece * kPieceBytes;
        std::memcpy(destination + first, source + first, size_t(std::min(kPieceBytes, bytes - first)));
    });
}

void enqueue_copy(const Stream& stream, void* destination, const void* source, int64_t bytes) {
    check(cudaMemcpyAsync(destination, source, size_t(bytes), cudaMemcpyHostToDevice, stream.handle()),
          "cudaMemcpyAsync (to the device)");
}

}  // namespace

void Uploader::upload(const Stream& stream, void* destination, const void* source, int64_t bytes) {
    if (bytes == 0) return;
    if (bytes < kLargeBytes) return enqueue_copy(stream, destination, source, bytes);
    if (!ring_.has_value()) ring_.emplace(device_, kSlotBytes, kSlots, "uploads");
    for (int64_t done = 0; done < bytes; done += kSlotBytes) {
        const int64_t count = std::min(kSlotBytes, bytes - done);
        char* const slot = ring_->acquire();
        copy_with_all_threads(slot, static_cast<const char*>(source) + done, count);
        enqueue_copy(stream, static_cast<char*>(destination) + done, slot, count);
        ring_->submit(stream);
    }
}

}  // namespace lk::cuda
