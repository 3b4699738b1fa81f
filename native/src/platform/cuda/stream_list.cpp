#include "platform/cuda/stream_list.h"

#include "platform/cuda/status.h"

namespace lk::cuda {

void StreamList::add(cudaStream_t stream) {
    const std::lock_guard lock(mutex_);
    streams_.insert(stream);
}

void StreamList::remove(cudaStream_t stream) {
    const std::lock_guard lock(mutex_);
    streams_.erase(streams_.find(stream));
}

// Under the lock: a stream is removed before it is destroyed.
bool StreamList::synchronize() {
    const std::lock_guard lock(mutex_);
    for (const cudaStream_t stream : streams_) {
        cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
        check(cudaStreamIsCapturing(stream, &status), "cudaStreamIsCapturing");
        if (status != cudaStreamCaptureStatusNone) return false;
    }
    for (const cudaStream_t stream : streams_) check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
    return true;
}

}  // namespace lk::cuda
