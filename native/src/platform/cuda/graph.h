// Work of a stream, recorded once and launched many times.
#pragma once

#include <memory>

#include "platform/cuda/stream.h"

namespace lk::cuda {

// An executable graph. Destroying it waits for its launches, and for the end of captures under way.
class Graph {
  public:
    Graph(Device& device, cudaGraph_t recorded);
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    ~Graph();

    void launch(const Stream& stream);

  private:
    Device& device_;
    cudaGraphExec_t executable_ = nullptr;
    Event launched_;
};

// Records what the calling thread enqueues on a stream instead of running it. While it lasts, the device's memory is
// not freed; releases wait for its end. Without finish() the recording is thrown away.
class Capture {
  public:
    explicit Capture(const Stream& stream);
    Capture(const Capture&) = delete;
    Capture& operator=(const Capture&) = delete;
    ~Capture();

    std::unique_ptr<Graph> finish();

  private:
    cudaError_t end(cudaGraph_t* recorded);

    const Stream& stream_;
    bool under_way_ = false;
};

}  // namespace lk::cuda
