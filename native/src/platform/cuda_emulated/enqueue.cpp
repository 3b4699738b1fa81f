#include "platform/cuda_emulated/enqueue.h"

namespace lk::emulated {

Stream* usable_stream(Machine& machine, const Context& context, cudaStream_t handle) {
    Stream* const stream = machine.streams.find(handle);
    return stream == nullptr || stream->destroyed || stream->context != &context ? nullptr : stream;
}

cudaError_t enqueue(Stream& stream, SharedWork work) {
    if (stream.capture == nullptr) {
        stream.tasks.push_back(std::make_unique<WorkTask>(std::move(work), &stream));
        return cudaSuccess;
    }
    if (stream.capture->invalidated) return cudaErrorStreamCaptureInvalidated;
    record(stream, std::move(work));
    return cudaSuccess;
}

}  // namespace lk::emulated
