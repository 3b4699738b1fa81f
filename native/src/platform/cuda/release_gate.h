// Nothing is freed while a stream is being captured: CUDA forbids most of it, and a block may be in use by the graph.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace lk::cuda {

// Releases pass at once, or when the last capture under way has ended, and may then free and wait. Their errors are not
// reported: destructors call them, and what goes wrong is a lost device, whose memory is gone anyway.
class ReleaseGate {
  public:
    void close();
    void open();
    void pass(std::function<void()> release) noexcept;

  private:
    std::recursive_mutex mutex_;  // a host's hook may release more from within a release
    int closed_ = 0;
    std::vector<std::function<void()>> waiting_;
};

}  // namespace lk::cuda
