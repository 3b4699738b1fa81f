// Vector clocks: what a thread, a barrier or a flag knows to have happened. Two accesses of which neither is known to
// whoever makes the other race.
//
// Every access carries its thread's tick, which the thread raises when it releases: at barriers, arrivals, fences.
// A clock has a row for each warp of a block: all lanes' accesses up to floor[row] are known, and of single lanes those
// up to ticks[row][lane]. So clocks are exact to the lane, and as short as a list of warps where warps act as one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace lk::emulated {

inline constexpr uint32_t max_warps = 32;

// The rows behind those of the warps stand for agents that have no lanes.
inline constexpr uint32_t collective_row = 32;     // + warp: reads by wgmma, which any lane of the warp may release
inline constexpr uint32_t previous_grid_row = 64;  // the launch before, for programmatic launches
inline constexpr uint32_t mbarrier_row = 65;       // + index: copies that completed on an mbarrier; ticks are phases
inline constexpr uint32_t max_mbarriers = 63;
inline constexpr uint32_t clock_rows = mbarrier_row + max_mbarriers;

struct Clock;

// What is known of other blocks: a clock of theirs, by block. Never changed once made.
using ForeignClocks = std::map<uint32_t, const Clock*>;

struct Clock {
    const ForeignClocks* foreign;  // null: none
    uint32_t with_lanes;           // a bit for each warp whose lanes[warp] is not 0
    uint32_t floor[clock_rows];
    uint32_t lanes[max_warps];
    uint32_t ticks[max_warps][32];

    void clear();
    void copy(const Clock& other);
    void join(const Clock& other);
    // One lane's accesses up to `tick`.
    void add_lane(uint32_t warp, uint32_t lane, uint32_t tick);
    void raise(uint32_t row, uint32_t tick) {
        if (floor[row] < tick) floor[row] = tick;
    }

    bool knows(uint32_t row, uint32_t tick) const { return floor[row] >= tick; }
    bool knows_lane(uint32_t warp, uint32_t lane, uint32_t tick) const {
        return floor[warp] >= tick || ((lanes[warp] >> lane & 1) != 0 && ticks[warp][lane] >= tick);
    }
    // All lanes of the mask.
    bool knows_lanes(uint32_t warp, uint32_t mask, uint32_t tick) const;
};

// The union: of a block known to both, what either knows.
const ForeignClocks* join_foreign(const ForeignClocks* a, const ForeignClocks* b);

// Clocks of one launch. What is made stays until the launch ends, or is handed back before.
class ClockStore {
  public:
    Clock* make();  // cleared
    void give_back(Clock* clock) { free_.push_back(clock); }
    const ForeignClocks* keep(ForeignClocks&& clocks);
    void clear();

  private:
    std::vector<std::unique_ptr<Clock>> all_;
    std::vector<Clock*> free_;
    std::vector<std::unique_ptr<const ForeignClocks>> foreign_;
};

// The clocks of the running launch.
ClockStore& clock_store();

}  // namespace lk::emulated
