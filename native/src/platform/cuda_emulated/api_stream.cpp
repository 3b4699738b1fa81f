// Streams and events.
#include <algorithm>

#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/enqueue.h"

using namespace lk::emulated;

namespace {

// Waiting for a stream that is captured ends its capture.
cudaError_t refuse_if_captured(Stream& stream) {
    if (stream.capture == nullptr) return cudaSuccess;
    stream.capture->invalidated = true;
    return cudaErrorStreamCaptureUnsupported;
}

cudaError_t refuse_if_captured(Event& event) {
    if (event.capture == nullptr) return cudaSuccess;
    event.capture->invalidated = true;
    return cudaErrorCapturedEvent;
}

// A query may or may not find progress: half of them make some.
void perhaps_advance(Machine& machine) {
    if (machine.choose(2) == 0) machine.advance();
}

// cudaStreamWaitEvent on an event of a capture: the stream joins it.
cudaError_t wait_captured(Stream& stream, const Event& event) {
    if (event.capture->ended) return cudaErrorCapturedEvent;
    if (stream.capture != nullptr && stream.capture != event.capture) {
        stream.capture->invalidated = true;
        event.capture->invalidated = true;
        return cudaErrorStreamCaptureMerge;
    }
    stream.capture = event.capture;
    stream.capture->streams.insert(&stream);
    for (const int node : event.frontier) {
        if (std::find(stream.frontier.begin(), stream.frontier.end(), node) == stream.frontier.end()) {
            stream.frontier.push_back(node);
        }
    }
    return stream.capture->invalidated ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
}

}  // namespace

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned flags) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        if (flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
        auto stream = std::make_unique<Stream>();
        stream->context = &context;
        *handle = machine.streams.add(std::move(stream));
        return cudaSuccess;
    });
}

// Returns at once; what is enqueued still runs.
cudaError_t cudaStreamDestroy(cudaStream_t handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (const auto capture = stream->capture; capture != nullptr) {
            capture->invalidated = true;
            capture->streams.erase(stream);
            if (capture->origin == stream) capture->end();
        }
        stream->destroyed = true;
        if (stream->tasks.empty()) machine.streams.remove(handle);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = refuse_if_captured(*stream); error != cudaSuccess) return error;
        if (forbidden_by_capture(machine)) return cudaErrorStreamCaptureUnsupported;
        machine.advance_until([&] { return stream->tasks.empty(); });
        return cudaSuccess;
    });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = refuse_if_captured(*stream); error != cudaSuccess) return error;
        if (forbidden_by_capture(machine)) return cudaErrorStreamCaptureUnsupported;
        perhaps_advance(machine);
        return stream->tasks.empty() ? cudaSuccess : cudaErrorNotReady;
    });
}

cudaError_t cudaDeviceSynchronize() {
    return unsafe_call([](Machine& machine, Context& context) {
        machine.advance_until([&] { return machine.idle(context); });
        return cudaSuccess;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t event_handle, unsigned) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, stream_handle);
        const Event* const event = machine.events.find(event_handle);
        if (stream == nullptr || event == nullptr) return cudaErrorInvalidResourceHandle;
        if (event->capture != nullptr) return wait_captured(*stream, *event);
        if (event->mark == nullptr) return cudaSuccess;
        if (stream->capture != nullptr) {
            stream->capture->invalidated = true;
            return cudaErrorStreamCaptureIsolation;
        }
        stream->tasks.push_back(std::make_unique<WaitTask>(event->mark));
        return cudaSuccess;
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned) {
    return context_call([&](Machine& machine, Context& context) {
        auto event = std::make_unique<Event>();
        event->context = &context;
        *handle = machine.events.add(std::move(event));
        return cudaSuccess;
    });
}

cudaError_t cudaEventDestroy(cudaEvent_t handle) {
    return context_call([&](Machine& machine, Context&) -> cudaError_t {
        if (machine.events.find(handle) == nullptr) return cudaErrorInvalidResourceHandle;
        machine.events.remove(handle);
        return cudaSuccess;
    });
}

cudaError_t cudaEventRecord(cudaEvent_t event_handle, cudaStream_t stream_handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, stream_handle);
        Event* const event = machine.events.find(event_handle);
        if (stream == nullptr || event == nullptr || event->context != &context) return cudaErrorInvalidResourceHandle;
        if (stream->capture != nullptr) {
            if (stream->capture->invalidated) return cudaErrorStreamCaptureInvalidated;
            event->capture = stream->capture;
            event->frontier = stream->frontier;
            return cudaSuccess;
        }
        event->capture = nullptr;
        event->mark = std::make_shared<Mark>();
        stream->tasks.push_back(std::make_unique<RecordTask>(event->mark));
        return cudaSuccess;
    });
}

cudaError_t cudaEventQuery(cudaEvent_t handle) {
    return context_call([&](Machine& machine, Context&) -> cudaError_t {
        Event* const event = machine.events.find(handle);
        if (event == nullptr) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = refuse_if_captured(*event); error != cudaSuccess) return error;
        if (forbidden_by_capture(machine)) return cudaErrorStreamCaptureUnsupported;
        perhaps_advance(machine);
        return event->mark == nullptr || event->mark->reached ? cudaSuccess : cudaErrorNotReady;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
    return context_call([&](Machine& machine, Context&) -> cudaError_t {
        Event* const event = machine.events.find(handle);
        if (event == nullptr) return cudaErrorInvalidResourceHandle;
        if (const cudaError_t error = refuse_if_captured(*event); error != cudaSuccess) return error;
        if (forbidden_by_capture(machine)) return cudaErrorStreamCaptureUnsupported;
        const std::shared_ptr<const Mark> mark = event->mark;
        machine.advance_until([&] { return mark == nullptr || mark->reached; });
        return cudaSuccess;
    });
}
