// A captured graph with the batches that its operations read and the counters that they use.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "core/backend.h"
#include "lora/cuda/batch.h"
#include "platform/cuda/graph.h"

namespace lk::cuda {

class CudaRecording final : public Recording {
  public:
    CudaRecording(std::unique_ptr<Graph> graph, std::vector<std::shared_ptr<BatchStorage>> batches,
                  std::shared_ptr<const Block> counters);

    // From any context of the device, one after the other.
    void launch(const Stream& stream) const;

  private:
    std::vector<std::shared_ptr<BatchStorage>> batches_;  // each once, in one order for all recordings
    std::shared_ptr<const Block> counters_;
    std::unique_ptr<Graph> graph_;
    mutable std::mutex mutex_;
};

}  // namespace lk::cuda
