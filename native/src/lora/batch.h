// A batch: what a step's assignment is turned into plans by.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "core/backend.h"
#include "core/handle.h"
#include "lora/batch_plans.h"
#include "lora/plan.h"

namespace lk {

// Turns assignments into plans. What it needs for that it keeps: after the largest assignment nothing is allocated.
class PlanMaker {
  public:
    // Checks an assignment against the plan's table and the capacities and groups it, in time linear in its entries.
    // The plan holds no adapters yet; if this throws, it may hold some.
    void make(const lk_lora_assignment& assignment, const lk_lora_batch_options& capacities, BatchPlan& plan);

  private:
    // The segment of an adapter, by its number in the table, if it has occurred in this turn.
    struct Segment {
        int64_t turn = 0;
        int32_t index = 0;
    };

    void find_segments(const lk_lora_assignment& assignment, const lk_lora_batch_options& capacities, BatchPlan& plan);
    void group_entries(BatchPlan& plan);

    std::vector<Segment> segments_;
    int64_t turn_ = 0;
    std::vector<int64_t> next_;
};

}  // namespace lk

struct lk_lora_batch : lk::Handle {
    lk_lora_batch(std::shared_ptr<const lk::LoraTable> of_table, const lk_lora_batch_options& options,
                  std::shared_ptr<lk::BatchStorage> on_device)
        : table(std::move(of_table)),
          capacities(options),
          plans_(std::make_shared<lk::BatchPlans>(table, std::move(on_device))) {}

    // Operations take the plan at their start and keep it, whatever is set meanwhile.
    lk::BatchPlans::Lease plan() const { return lk::BatchPlans::lease(plans_); }
    // Contexts that set it at the same time take turns, on the host and on the device alike.
    void set(const lk_lora_assignment& assignment, lk::Backend& backend) {
        const std::lock_guard setting(setting_mutex_);
        lk::BatchPlans::Draft draft(*plans_);
        maker_.make(assignment, capacities, *draft);
        backend.set_batch(*draft);
        draft.publish();
    }

    const std::shared_ptr<const lk::LoraTable> table;
    const lk_lora_batch_options capacities;

  private:
    const std::shared_ptr<lk::BatchPlans> plans_;
    std::mutex setting_mutex_;
    lk::PlanMaker maker_;
};
