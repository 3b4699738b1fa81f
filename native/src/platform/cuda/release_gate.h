// Memory must not be freed while a stream is being captured: CUDA forbids it, and ends the capture.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

namespace lk::cuda {

// Releases pass at once, or when the last capture under way has ended.
class ReleaseGate {
  public:
    void close();
    void open();
    void pass(std::function<void()> release);

  private:
    std::recursive_mutex mutex_;  // a host's hook may release more from within a release
    int closed_ = 0;
    std::vector<std::function<void()>> waiting_;
};

}  // namespace lk::cuda
