// From an API call into a stream.
#pragma once

#include "platform/cuda_emulated/machine.h"

namespace lk::emulated {

// The stream behind a handle if work of this context may go there, else NULL. Never a default stream.
Stream* usable_stream(Machine& machine, const Context& context, cudaStream_t handle);

// Into the stream's queue, or into the capture that it takes part in. Fails where that capture has failed.
cudaError_t enqueue(Stream& stream, SharedWork work);

}  // namespace lk::emulated
