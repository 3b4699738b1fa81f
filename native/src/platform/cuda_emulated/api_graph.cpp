// Capture of streams, and graphs.
#include "platform/cuda_emulated/call.h"
#include "platform/cuda_emulated/enqueue.h"

using namespace lk::emulated;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (stream->capture != nullptr) return cudaErrorIllegalState;
        auto capture = std::make_shared<Capture>();
        capture->graph.context = &context;
        capture->origin = stream;
        capture->streams = {stream};
        capture->mode = mode;
        capture->thread = std::this_thread::get_id();
        stream->capture = std::move(capture);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        *graph = nullptr;
        Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        const std::shared_ptr<Capture> capture = stream->capture;
        if (capture == nullptr) return cudaErrorIllegalState;
        if (capture->origin != stream) {
            capture->invalidated = true;
            return cudaErrorStreamCaptureUnmatched;
        }
        if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
            return cudaErrorStreamCaptureWrongThread;
        }
        const bool joined = capture->joined();
        capture->end();
        if (capture->invalidated) return cudaErrorStreamCaptureInvalidated;
        if (!joined) return cudaErrorStreamCaptureUnjoined;
        *graph = machine.graphs.add(
            std::make_unique<std::shared_ptr<Graph>>(std::make_shared<Graph>(std::move(capture->graph))));
        return cudaSuccess;
    });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        const Stream* const stream = usable_stream(machine, context, handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        *status = stream->capture == nullptr     ? cudaStreamCaptureStatusNone
                  : stream->capture->invalidated ? cudaStreamCaptureStatusInvalidated
                                                 : cudaStreamCaptureStatusActive;
        return cudaSuccess;
    });
}

cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    return api_call([&](Machine&) {
        std::swap(*mode, Machine::thread().capture_mode);
        return cudaSuccess;
    });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* handle, cudaGraph_t graph_handle, unsigned long long) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        const std::shared_ptr<Graph>* const graph = machine.graphs.find(graph_handle);
        if (graph == nullptr) return cudaErrorInvalidValue;
        auto executable = std::make_unique<Executable>();
        executable->context = &context;
        executable->graph = *graph;
        *handle = machine.executables.add(std::move(executable));
        return cudaSuccess;
    });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t handle, cudaStream_t stream_handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        Executable* const executable = machine.executables.find(handle);
        if (executable == nullptr || executable->context != &context) return cudaErrorInvalidValue;
        Stream* const stream = usable_stream(machine, context, stream_handle);
        if (stream == nullptr) return cudaErrorInvalidResourceHandle;
        if (stream->capture != nullptr) {  // CUDA would make it a node; nothing here needs that
            stream->capture->invalidated = true;
            return cudaErrorNotSupported;
        }
        auto done = std::make_shared<Mark>();
        stream->tasks.push_back(std::make_unique<GraphTask>(executable->graph, executable->last_launch, done));
        executable->last_launch = std::move(done);
        ++machine.statistics.graphs;
        return cudaSuccess;
    });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t handle) {
    return context_call([&](Machine& machine, Context& context) -> cudaError_t {
        const Executable* const executable = machine.executables.find(handle);
        if (executable == nullptr) return cudaErrorInvalidValue;
        const bool busy = executable->last_launch != nullptr && !executable->last_launch->reached;
        machine.executables.remove(handle);
        if (busy)
            machine.lose(context, {cudaErrorLaunchFailure, "a graph is destroyed while a launch of it is enqueued"});
        return cudaSuccess;
    });
}

cudaError_t cudaGraphDestroy(cudaGraph_t handle) {
    return context_call([&](Machine& machine, Context&) -> cudaError_t {
        if (machine.graphs.find(handle) == nullptr) return cudaErrorInvalidValue;
        machine.graphs.remove(handle);
        return cudaSuccess;
    });
}
