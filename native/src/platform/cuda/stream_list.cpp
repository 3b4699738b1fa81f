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
bool StreamList::visit(const std::function<void(cudaStream_t)>& visit) {
    const std::lock_guard lock(mutex_);
    for (const cudaStream_t stream : streams_) {
        cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
        check(cudaStreamIsCapturing(stream, &status), "cudaStreamIsCapturing");
        if (status != cudaStreamCaptureStatusNone) return false;
    }
    for (auto stream = streams_.begin(); stream != streams_.end(); stream = streams_.upper_bound(*stream)) {
        visit(*stream);
    }
    return true;
}

bool StreamList::synchronize() {
    return visit([](cudaStream_t stream) { check(cudaStreamSynchronize(stream), "cudaStreamSynchronize"); });
}

}  // namespace lk::cuda
