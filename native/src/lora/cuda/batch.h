// A batch on a GPU.
#pragma once

#include <mutex>
#include <vector>

#include "core/backend.h"
#include "lora/batch.h"
#include "lora/cuda/device_plan.h"
#include "platform/cuda/pinned.h"

namespace lk::cuda {

// How many items of shrink a plan has.
int64_t shrink_items(const BatchPlan& plan);

// Any context of the device may set the batch or use it. Setting waits, on the device, for the uses that other streams
// have enqueued, and uses wait for the upload of another stream.
class CudaBatch final : public BatchStorage {
  public:
    CudaBatch(Device& device, const lk_allocator& allocator, const lk_lora_batch_options& capacities);

    const DevicePlan& plan() const { return on_device_; }
    const lk_lora_batch_options& capacities() const { return capacities_; }

    void set(const BatchPlan& plan, const Stream& stream);

    // Held while operations that read the plan are enqueued on a stream.
    class Use {
      public:
        Use(CudaBatch& batch, const Stream& stream);
        // Marks the end of what was enqueued.
        ~Use();
        Use(const Use&) = delete;
        Use& operator=(const Use&) = delete;

      private:
        CudaBatch& batch_;
        const Stream& stream_;
        std::unique_lock<std::mutex> lock_;
    };

  private:
    // The last use on a stream since the plan was set.
    struct Mark {
        cudaStream_t stream;
        Event event;
    };

    void write(const BatchPlan& plan, char* out) const;

    Device& device_;
    lk_lora_batch_options capacities_;
    int64_t bytes_;
    Block memory_;
    DevicePlan on_device_;
    PinnedRing staging_;
    std::mutex mutex_;
    Event uploaded_;
    cudaStream_t uploading_stream_ = nullptr;
    std::vector<Mark> marks_;
    size_t marks_in_use_ = 0;  // the rest keep their events for later
};

}  // namespace lk::cuda
