#include "lora/batch_plans.h"

namespace lk {

BatchPlans::BatchPlans(std::shared_ptr<const LoraTable> table, std::shared_ptr<BatchStorage> storage)
    : table_(std::move(table)), storage_(std::move(storage)), current_(unused()) {}

BatchPlans::~BatchPlans() {
    for (const auto& entry : entries_) table_->release(entry->plan.segments).clear();
}

BatchPlans::Entry& BatchPlans::entry_of(const BatchPlan* plan) {
    size_t i = 0;
    while (&entries_[i]->plan != plan) ++i;
    return *entries_[i];
}

BatchPlan* BatchPlans::unused() {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) {
        if (entry->users == 0 && &entry->plan != current_) return &entry->plan;
    }
    BatchPlan& made = entries_.emplace_back(std::make_unique<Entry>())->plan;
    made.table = table_;
    made.storage = storage_;
    return &made;
}

BatchPlans::Lease BatchPlans::lease(const std::shared_ptr<BatchPlans>& plans) {
    Lease lease;
    lease.plans_ = plans;
    const std::lock_guard lock(plans->mutex_);
    lease.plan_ = plans->current_;
    ++plans->entry_of(lease.plan_).users;
    return lease;
}

// What nobody holds any more goes when the lock is released, but an unused plan holds nothing from the start.
BatchPlans::Lease::~Lease() {
    if (plan_ == nullptr) return;
    Released released;
    const std::lock_guard lock(plans_->mutex_);
    if (--plans_->entry_of(plan_).users > 0 || plan_ == plans_->current_) return;
    released = plans_->table_->release(plan_->segments);
}

BatchPlans::Draft::~Draft() {
    if (plan_ != nullptr) plans_.table_->release(plan_->segments).clear();
}

void BatchPlans::Draft::publish() {
    Released released;
    const std::lock_guard lock(plans_.mutex_);
    BatchPlan* const old = std::exchange(plans_.current_, std::exchange(plan_, nullptr));
    if (plans_.entry_of(old).users == 0) released = plans_.table_->release(old->segments);
}

}  // namespace lk
