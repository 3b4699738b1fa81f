// Calls that a capture forbids although they have nothing to do with it.
#pragma once

#include "platform/cuda/api.h"

namespace lk::cuda {

// For as long as it lives, the calling thread may allocate, free and wait whatever is captured, and by whom: by a
// host's code that captures a stream of its own, too. What it does must not concern a captured stream.
class AllowedDuringCapture {
  public:
    AllowedDuringCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    ~AllowedDuringCapture() { cudaThreadExchangeStreamCaptureMode(&mode_); }
    AllowedDuringCapture(const AllowedDuringCapture&) = delete;
    AllowedDuringCapture& operator=(const AllowedDuringCapture&) = delete;

  private:
    cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace lk::cuda
