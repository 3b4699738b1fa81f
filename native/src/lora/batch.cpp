#include "lora/batch.h"

#include <cmath>

#include "core/error.h"

namespace lk {
namespace {

using ll = long long;

void check_capacity(const char* what, int64_t needed, int64_t capacity) {
    if (needed > capacity) {
        fail(LK_CAPACITY_EXCEEDED, "assignment: has %lld %s, the batch was created for %lld", ll(needed), what,
             ll(capacity));
    }
}

void read_rows(const lk_lora_assignment& assignment, const lk_lora_batch_options& capacities, BatchPlan& plan) {
    check_capacity("rows", assignment.rows, capacities.max_rows);
    plan.rows = assignment.rows;
    plan.row_offsets.resize(size_t(assignment.rows) + 1);
    for (int64_t r = 0; r <= assignment.rows; ++r) {
        const int64_t offset = assignment.row_offsets == nullptr ? r : assignment.row_offsets[r];
        if (r == 0 ? offset != 0 : offset < plan.row_offsets[size_t(r) - 1]) {
            fail(LK_INVALID_ARGUMENT, "assignment.row_offsets[%lld]: is %lld; offsets ascend from 0", ll(r),
                 ll(offset));
        }
        check_capacity("entries", offset, capacities.max_entries);
        plan.row_offsets[size_t(r)] = offset;
    }
    const int64_t entries = plan.row_offsets.back();
    if (entries > 0 && assignment.adapters == nullptr) {
        fail(LK_INVALID_ARGUMENT, "assignment.adapters: NULL with %lld entries", ll(entries));
    }
    plan.row_of_entry.resize(size_t(entries));
    plan.weights.resize(size_t(entries));
    for (int64_t r = 0; r < plan.rows; ++r) {
        for (int64_t e = plan.row_offsets[size_t(r)]; e < plan.row_offsets[size_t(r) + 1]; ++e) {
            const float weight = assignment.weights == nullptr ? 1.0f : assignment.weights[e];
            if (!std::isfinite(weight)) {
                fail(LK_INVALID_ARGUMENT, "assignment.weights[%lld]: is %g (row %lld); weights are finite", ll(e),
                     double(weight), ll(r));
            }
            plan.row_of_entry[size_t(e)] = r;
            plan.weights[size_t(e)] = weight;
        }
    }
}

}  // namespace

// Resolves ids to segments, in order of first appearance.
void PlanMaker::find_segments(const lk_lora_assignment& assignment, const lk_lora_batch_options& capacities,
                              BatchPlan& plan) {
    ++turn_;
    int64_t tiles = 0;
    plan.segment_of_entry.resize(plan.row_of_entry.size());
    plan.table->read([&](auto&& find) {
        for (int64_t e = 0; e < plan.entries(); ++e) {
            const int64_t id = assignment.adapters[e];
            int32_t& segment = plan.segment_of_entry[size_t(e)];
            if (id == LK_ADAPTER_NONE) {
                segment = -1;
                continue;
            }
            const Adapter* const found = find(id);
            if (found == nullptr) {
                fail(LK_NOT_FOUND,
                     "assignment.adapters[%lld]: is %lld (row %lld), which is not in the batch's table; it was never "
                     "added or is removed",
                     ll(e), ll(id), ll(plan.row_of_entry[size_t(e)]));
            }
            if (size_t(found->number) >= segments_.size()) segments_.resize(size_t(found->number) + 1);
            Segment& known = segments_[size_t(found->number)];
            if (known.turn != turn_) {
                known = {turn_, int32_t(plan.segments.size())};
                plan.segments.push_back(found);
                ++found->holders;
            }
            segment = known.index;
            const Adapter& adapter = *found;
            if (adapter.rescales && plan.weights[size_t(e)] != 1.0f) {
                fail(
                    LK_UNSUPPORTED,
                    "assignment.weights[%lld]: is %g (row %lld) for adapter %lld, which has a column_scale; its weight "
                    "is 1",
                    ll(e), double(plan.weights[size_t(e)]), ll(plan.row_of_entry[size_t(e)]), ll(id));
            }
            tiles += adapter.widest_tiles;
        }
    });
    check_capacity("distinct adapters", int64_t(plan.segments.size()), capacities.max_segments);
    check_capacity("rank tiles", tiles, capacities.max_rank_tiles);
}

// Counting sort of the entries by segment.
void PlanMaker::group_entries(BatchPlan& plan) {
    plan.segment_offsets.assign(plan.segments.size() + 1, 0);
    for (const int32_t segment : plan.segment_of_entry) {
        if (segment >= 0) ++plan.segment_offsets[size_t(segment) + 1];
    }
    for (size_t s = 1; s < plan.segment_offsets.size(); ++s) plan.segment_offsets[s] += plan.segment_offsets[s - 1];
    plan.segment_entries.resize(size_t(plan.segment_offsets.back()));
    next_.assign(plan.segment_offsets.begin(), plan.segment_offsets.end() - 1);
    for (int64_t e = 0; e < plan.entries(); ++e) {
        const int32_t segment = plan.segment_of_entry[size_t(e)];
        if (segment >= 0) plan.segment_entries[size_t(next_[size_t(segment)]++)] = e;
    }
}

void PlanMaker::make(const lk_lora_assignment& assignment, const lk_lora_batch_options& capacities, BatchPlan& plan) {
    read_rows(assignment, capacities, plan);
    find_segments(assignment, capacities, plan);
    group_entries(plan);
}

}  // namespace lk
