// Graphs and the capture of streams into them.
#pragma once

#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "platform/cuda_emulated/queue.h"

namespace lk::emulated {

struct GraphNode {
    SharedWork work;
    std::vector<int> after;  // indices of nodes, all smaller than this one's
};

struct Graph {
    Context* context = nullptr;
    std::vector<GraphNode> nodes;
};

struct Executable {
    Context* context = nullptr;
    std::shared_ptr<const Graph> graph;
    std::shared_ptr<Mark> last_launch;  // launches of one executable run one after the other
};

struct Capture {
    Graph graph;
    Stream* origin = nullptr;
    std::set<Stream*> streams;  // the origin, and those that joined through events
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    std::thread::id thread;
    bool invalidated = false;
    bool ended = false;

    // Whether everything recorded comes before what the origin would record next.
    bool joined() const;
    // No stream records into it any more.
    void end();
};

// A node for the stream's next piece of work.
void record(Stream& stream, SharedWork work);

// One launch of a graph: nodes run in any order that their edges allow.
class GraphTask final : public Task {
  public:
    GraphTask(std::shared_ptr<const Graph> graph, std::shared_ptr<const Mark> previous, std::shared_ptr<Mark> done);
    bool ready() const override { return previous_ == nullptr || previous_->reached; }
    bool step(Machine& machine, Context& context) override;
    void abandon() override { done_->reached = true; }
    bool uses_host_memory(const void* begin, size_t bytes) const override;

  private:
    std::shared_ptr<const Graph> graph_;
    std::shared_ptr<const Mark> previous_;
    std::shared_ptr<Mark> done_;
    std::vector<bool> ran_;
    size_t left_;
    size_t last_ = 0;  // the node that ran last
};

}  // namespace lk::emulated
