#include "platform/cuda_emulated/graph.h"

#include <algorithm>

#include "platform/cuda_emulated/machine.h"

namespace lk::emulated {

bool Capture::joined() const {
    std::vector<bool> reached(graph.nodes.size(), false);
    for (const int node : origin->frontier) reached[size_t(node)] = true;
    for (size_t node = graph.nodes.size(); node-- > 0;) {
        if (!reached[node]) return false;  // its successors come later in the order, and were all seen
        for (const int before : graph.nodes[node].after) reached[size_t(before)] = true;
    }
    return true;
}

void Capture::end() {
    ended = true;
    for (Stream* stream : std::exchange(streams, {})) {
        stream->frontier.clear();
        stream->capture = nullptr;  // last: this may be the last owner of the capture itself
    }
}

void record(Stream& stream, SharedWork work) {
    std::vector<GraphNode>& nodes = stream.capture->graph.nodes;
    nodes.push_back({std::move(work), stream.frontier});
    stream.frontier = {int(nodes.size()) - 1};
}

GraphTask::GraphTask(std::shared_ptr<const Graph> graph, std::shared_ptr<const Mark> previous,
                     std::shared_ptr<Mark> done)
    : graph_(std::move(graph)),
      previous_(std::move(previous)),
      done_(std::move(done)),
      ran_(graph_->nodes.size(), false),
      left_(graph_->nodes.size()) {}

bool GraphTask::step(Machine& machine, Context& context) {
    std::vector<size_t> ready;
    for (size_t node = 0; node < ran_.size(); ++node) {
        const std::vector<int>& after = graph_->nodes[node].after;
        const auto ran = [&](int before) { return bool(ran_[size_t(before)]); };
        if (!ran_[node] && std::all_of(after.begin(), after.end(), ran)) ready.push_back(node);
    }
    if (!ready.empty()) {
        const size_t node = ready[machine.choose(ready.size())];
        ran_[node] = true;
        --left_;
        const std::vector<int>& after = graph_->nodes[node].after;
        machine.run(*graph_->nodes[node].work, context, this, after.size() == 1 && size_t(after[0]) == last_);
        last_ = node;
    }
    if (left_ > 0) return false;
    done_->reached = true;
    return true;
}

bool GraphTask::uses_host_memory(const void* begin, size_t bytes) const {
    const auto uses = [&](const GraphNode& node) { return node.work->uses_host_memory(begin, bytes); };
    return std::any_of(graph_->nodes.begin(), graph_->nodes.end(), uses);
}

}  // namespace lk::emulated
