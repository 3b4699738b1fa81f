// Host memory of any kind to the device at the speed of page-locked memory.
#pragma once

#include <optional>

#include "platform/cuda/pinned.h"

namespace lk::cuda {

class Uploader {
  public:
    explicit Uploader(Device& device) : device_(device) {}

    // Enqueues the copy. The source has been read when it returns. Not for use in a capture.
    void upload(const Stream& stream, void* destination, const void* source, int64_t bytes);

  private:
    Device& device_;
    std::optional<PinnedRing> ring_;  // from the first large copy on
};

}  // namespace lk::cuda
