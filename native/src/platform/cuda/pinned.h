// Page-locked host memory for copies.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/memory.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// Page-locked host memory, which copies read and write while the host goes on.
class PinnedBlock {
  public:
    PinnedBlock(Device& device, int64_t bytes, const char* purpose);
    PinnedBlock(const PinnedBlock&) = delete;
    PinnedBlock& operator=(const PinnedBlock&) = delete;
    ~PinnedBlock();

    Device& device() const { return device_; }
    char* data() const { return static_cast<char*>(data_); }
    int64_t bytes() const { return bytes_; }

  private:
    Device& device_;
    void* data_ = nullptr;
    int64_t bytes_;
};

// Staging memory in slots of equal size, used in turn. A slot is handed out again when the copies from its last turn
// are done, so the host writes the next contents while the stream still reads the last. Nothing is allocated after
// construction. Not for use in a capture: a graph would read the slot again long after its turn.
class PinnedRing {
  public:
    PinnedRing(Device& device, int64_t slot_bytes, int slots, const char* purpose);
    PinnedRing(const PinnedRing&) = delete;
    PinnedRing& operator=(const PinnedRing&) = delete;
    // Waits for the copies under way; at the end of a capture if there is one.
    ~PinnedRing();

    int64_t slot_bytes() const { return slot_bytes_; }

    // The slot whose turn it is, after waiting for its last turn. Its contents are the caller's until `submit`.
    char* acquire();
    // That slot is in use until what `stream` has enqueued so far is done; the next one has its turn.
    void submit(const Stream& stream);

  private:
    int64_t slot_bytes_;
    std::shared_ptr<PinnedBlock> memory_;
    std::vector<Event> events_;
    int next_ = 0;
};

}  // namespace lk::cuda
