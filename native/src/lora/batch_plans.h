// The plans of a batch: what operations use, and what is made meanwhile.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "lora/plan.h"

namespace lk {

// One plan is the current one; another is filled while operations may still use it and those before. A plan that
// nobody uses any more lets go of its adapters and is filled again, with the memory that it has: as a rule there are
// two, and nothing is allocated.
class BatchPlans {
  public:
    // The current one has 0 rows.
    BatchPlans(std::shared_ptr<const LoraTable> table, std::shared_ptr<BatchStorage> storage);
    BatchPlans(const BatchPlans&) = delete;
    BatchPlans& operator=(const BatchPlans&) = delete;
    ~BatchPlans();

    // The plan that was current when it was taken, for as long as it lives. It may outlive the batch.
    class Lease {
      public:
        Lease() = default;
        Lease(Lease&& other) noexcept : plans_(std::move(other.plans_)), plan_(std::exchange(other.plan_, nullptr)) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(plans_, other.plans_);
            std::swap(plan_, other.plan_);
            return *this;
        }
        ~Lease();

        const BatchPlan* get() const { return plan_; }
        const BatchPlan& operator*() const { return *plan_; }
        const BatchPlan* operator->() const { return plan_; }

      private:
        friend class BatchPlans;
        std::shared_ptr<BatchPlans> plans_;
        BatchPlan* plan_ = nullptr;
    };
    static Lease lease(const std::shared_ptr<BatchPlans>& plans);

    // A plan in the making, one at a time. Unless it is published it is dropped.
    class Draft {
      public:
        explicit Draft(BatchPlans& plans) : plans_(plans), plan_(plans.unused()) {}
        Draft(const Draft&) = delete;
        Draft& operator=(const Draft&) = delete;
        ~Draft();

        BatchPlan& operator*() const { return *plan_; }
        // It is the current one from now on.
        void publish();

      private:
        BatchPlans& plans_;
        BatchPlan* plan_;
    };

  private:
    struct Entry {
        BatchPlan plan;
        int64_t users = 0;
    };

    BatchPlan* unused();
    Entry& entry_of(const BatchPlan* plan);

    const std::shared_ptr<const LoraTable> table_;
    const std::shared_ptr<BatchStorage> storage_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Entry>> entries_;
    BatchPlan* current_;
};

}  // namespace lk
