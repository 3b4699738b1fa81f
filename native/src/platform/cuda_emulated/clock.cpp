#include "platform/cuda_emulated/clock.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lk::emulated {
void Clock::clear() {
    foreign = nullptr;
    with_lanes = 0;
    std::memset(floor, 0, sizeof floor);
    std::memset(lanes, 0, sizeof lanes);
}

void Clock::copy(const Clock& other) {
    foreign = other.foreign;
    with_lanes = other.with_lanes;
    std::memcpy(floor, other.floor, sizeof floor);
    std::memcpy(lanes, other.lanes, sizeof lanes);
    for (uint32_t left = with_lanes; left != 0; left &= left - 1) {
        const int warp = std::countr_zero(left);
        std::memcpy(ticks[warp], other.ticks[warp], sizeof ticks[warp]);
    }
}

void Clock::join(const Clock& other) {
    for (uint32_t row = 0; row < clock_rows; ++row) floor[row] = std::max(floor[row], other.floor[row]);
    for (uint32_t left = other.with_lanes; left != 0; left &= left - 1) {
        const auto warp = uint32_t(std::countr_zero(left));
        for (uint32_t mask = other.lanes[warp]; mask != 0; mask &= mask - 1) {
            const auto lane = uint32_t(std::countr_zero(mask));
            add_lane(warp, lane, other.ticks[warp][lane]);
        }
    }
    foreign = join_foreign(foreign, other.foreign);
}

void Clock::add_lane(uint32_t warp, uint32_t lane, uint32_t tick) {
    if (floor[warp] >= tick) return;
    const uint32_t bit = 1u << lane;
    ticks[warp][lane] = (lanes[warp] & bit) != 0 ? std::max(ticks[warp][lane], tick) : tick;
    lanes[warp] |= bit;
    with_lanes |= 1u << warp;
    if (lanes[warp] != ~0u) return;
    // Every lane is known up to the least of their ticks; lanes that are not ahead of it need no entry of their own.
    floor[warp] = std::max(floor[warp], *std::min_element(ticks[warp], ticks[warp] + 32));
    for (uint32_t i = 0; i < 32; ++i) {
        if (ticks[warp][i] <= floor[warp]) lanes[warp] &= ~(1u << i);
    }
    if (lanes[warp] == 0) with_lanes &= ~(1u << warp);
}

bool Clock::knows_lanes(uint32_t warp, uint32_t mask, uint32_t tick) const {
    if (floor[warp] >= tick) return true;
    if ((mask & ~lanes[warp]) != 0) return false;
    for (; mask != 0; mask &= mask - 1) {
        if (ticks[warp][std::countr_zero(mask)] < tick) return false;
    }
    return true;
}

const ForeignClocks* join_foreign(const ForeignClocks* a, const ForeignClocks* b) {
    if (b == nullptr || a == b) return a;
    if (a == nullptr) return b;
    ForeignClocks joined = *a;
    for (const auto& [block, clock] : *b) {
        const Clock*& known = joined[block];
        if (known == nullptr || known == clock) {
            known = clock;
            continue;
        }
        Clock* const both = clock_store().make();
        both->copy(*known);
        both->join(*clock);
        known = both;
    }
    return clock_store().keep(std::move(joined));
}

Clock* ClockStore::make() {
    if (free_.empty()) {
        all_.push_back(std::make_unique<Clock>());
        free_.push_back(all_.back().get());
    }
    Clock* const clock = free_.back();
    free_.pop_back();
    clock->clear();
    return clock;
}

const ForeignClocks* ClockStore::keep(ForeignClocks&& clocks) {
    foreign_.push_back(std::make_unique<const ForeignClocks>(std::move(clocks)));
    return foreign_.back().get();
}

void ClockStore::clear() {
    foreign_.clear();
    free_.clear();
    for (const auto& clock : all_) free_.push_back(clock.get());
}

ClockStore& clock_store() {
    static ClockStore store;
    return store;
}

}  // namespace lk::emulated
