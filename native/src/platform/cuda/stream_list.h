// The streams of a device that this library enqueues work on.
#pragma once

#include <functional>
#include <mutex>
#include <set>

#include "platform/cuda/api.h"

namespace lk::cuda {

class StreamList {
  public:
    void add(cudaStream_t stream);
    void remove(cudaStream_t stream);
    // Calls `visit` for each, once, while none can be removed. False, and no call: a host captures one of them, so that
    // it can be neither marked nor waited for. The device's context is current.
    bool visit(const std::function<void(cudaStream_t)>& visit);
    // Waits until what they hold so far is done. False as above.
    bool synchronize();

  private:
    std::mutex mutex_;
    std::multiset<cudaStream_t> streams_;  // a host may lend one stream to several contexts
};

}  // namespace lk::cuda
