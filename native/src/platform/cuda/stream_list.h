// The streams of a device that this library enqueues work on.
#pragma once

#include <mutex>
#include <set>

#include "platform/cuda/api.h"

namespace lk::cuda {

class StreamList {
  public:
    void add(cudaStream_t stream);
    void remove(cudaStream_t stream);
    // Waits until what they hold so far is done. False: a host captures one of them, so that it cannot be waited for.
    // The device's context is current.
    bool synchronize();

  private:
    std::mutex mutex_;
    std::multiset<cudaStream_t> streams_;  // a host may lend one stream to several contexts
};

}  // namespace lk::cuda
