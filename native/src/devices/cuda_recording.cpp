#include "devices/cuda_recording.h"

#include <algorithm>
#include <deque>

namespace lk::cuda {

CudaRecording::CudaRecording(std::unique_ptr<Graph> graph, std::vector<std::shared_ptr<BatchStorage>> batches,
                             std::shared_ptr<const Block> counters)
    : batches_(std::move(batches)), counters_(std::move(counters)), graph_(std::move(graph)) {
    std::sort(batches_.begin(), batches_.end());
    batches_.erase(std::unique(batches_.begin(), batches_.end()), batches_.end());
}

void CudaRecording::launch(const Stream& stream) const {
    const std::lock_guard lock(mutex_);
    std::deque<CudaBatch::Use> uses;
    for (const auto& batch : batches_) uses.emplace_back(static_cast<CudaBatch&>(*batch), stream);
    graph_->launch(stream);
}

}  // namespace lk::cuda
