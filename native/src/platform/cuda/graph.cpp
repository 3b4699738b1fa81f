#include "platform/cuda/graph.h"

#include "platform/cuda/status.h"

namespace lk::cuda {

Graph::Graph(Device& device, cudaGraph_t recorded) : device_(device), launched_(device) {
    const CurrentContext current(device);
    check(cudaGraphInstantiate(&executable_, recorded, 0), "cudaGraphInstantiate");
}

Graph::~Graph() {
    auto launched = std::make_shared<const Event>(std::move(launched_));
    device_.release_gate().pass([&device = device_, launched, executable = executable_] {
        const CurrentContext current(device);
        launched->synchronize();
        cudaGraphExecDestroy(executable);
    });
}

void Graph::launch(const Stream& stream) {
    check(cudaGraphLaunch(executable_, stream.handle()), "cudaGraphLaunch");
    launched_.record(stream);
}

// Thread-local: other threads may go on allocating and waiting on streams of their own.
Capture::Capture(const Stream& stream) : stream_(stream) {
    stream_.device().release_gate().close();
    const cudaError_t error = cudaStreamBeginCapture(stream_.handle(), cudaStreamCaptureModeThreadLocal);
    if (error != cudaSuccess) {
        stream_.device().release_gate().open();
        fail_cuda(error, "cudaStreamBeginCapture");
    }
    under_way_ = true;
}

Capture::~Capture() {
    if (!under_way_) return;
    try {
        const CurrentContext current(stream_.device());
        cudaGraph_t recorded = nullptr;
        if (end(&recorded) == cudaSuccess) cudaGraphDestroy(recorded);
        cudaGetLastError();
    } catch (const Error&) {  // a lost device; the recording is gone with it
    }
}

std::unique_ptr<Graph> Capture::finish() {
    cudaGraph_t recorded = nullptr;
    check(end(&recorded), "cudaStreamEndCapture");
    const std::unique_ptr<CUgraph_st, decltype(&cudaGraphDestroy)> owner(recorded, &cudaGraphDestroy);
    return std::make_unique<Graph>(stream_.device(), recorded);
}

cudaError_t Capture::end(cudaGraph_t* recorded) {
    under_way_ = false;
    const cudaError_t error = cudaStreamEndCapture(stream_.handle(), recorded);
    stream_.device().release_gate().open();
    return error;
}

}  // namespace lk::cuda
