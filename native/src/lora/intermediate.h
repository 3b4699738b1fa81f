// Shrink's result inside an operation: fp32, packed by rank tiles, so that an entry takes what its adapter's ranks
// take.
#pragma once

#include "core/workspace.h"
#include "lora/batch.h"

namespace lk {

struct Intermediate {
    float* values = nullptr;     // [tiles * 8]
    int64_t* offsets = nullptr;  // [entries + 1]: where an entry's values begin; its slices one after the other

    // Lays out the values of a module's entries; with a measuring carver only its size.
    static Intermediate place(Carver& carver, int64_t entries, int64_t tiles) {
        Intermediate result;
        result.offsets = carver.take<int64_t>(entries + 1);
        result.values = carver.take<float>(tiles * kRankTile);
        return result;
    }

    void set_offsets(const BatchPlan& plan, const LoraModule& module) {
        offsets[0] = 0;
        for (int64_t e = 0; e < plan.entries(); ++e) {
            const Adapter* adapter = plan.adapter_of(e);
            offsets[e + 1] = offsets[e] + (adapter == nullptr ? 0 : adapter->tiles_in(module) * kRankTile);
        }
    }
};

inline int64_t tiles_of(const BatchPlan& plan) {
    int64_t tiles = 0;
    for (const int32_t segment : plan.segment_of_entry) {
        if (segment >= 0) tiles += plan.segments[size_t(segment)]->widest_tiles;
    }
    return tiles;
}

// Calls visit(factors, values) for every slice of an entry's update, with the slice and where its ranks are.
template <class Visit>
void for_each_update(const Adapter& adapter, const LoraModule& module, float* values, Visit&& visit) {
    for (size_t s = 0; s < module.slices.size(); ++s) {
        const LoraFactors* factors = adapter.factors_of(module.first_slice + int32_t(s));
        if (factors == nullptr) continue;
        visit(*factors, module.slices[s], values);
        values += rank_tiles(factors->rank) * kRankTile;
    }
}

}  // namespace lk
