#include "platform/cuda_emulated/collective.h"

#include <algorithm>
#include <bit>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/scheduler.h"

namespace lk::emulated {
namespace {

// The collective that the lane joins: one that others have opened here, or a new one.
Collective& join_or_open(Warp& warp, Lane& lane, const char* name, uint32_t mask, Site site) {
    Collective* joined = nullptr;
    for (uint32_t i = 0; i < warp.open_count; ++i) {
        Collective& open = warp.open[i];
        if (open.mask == mask && open.name == name && same_site(open.site, site)) {
            joined = &open;
        } else if ((open.mask & lane.bit()) != 0) {
            stop("divergence", "came to %s while lanes of its warp wait for it in %s %s", name, open.name,
                 text_of(open.site).c_str());
        }
    }
    if (joined != nullptr) return *joined;
    Collective& opened = warp.open[warp.open_count++];
    opened.name = name;
    opened.mask = mask;
    opened.arrived = 0;
    opened.site = site;
    return opened;
}

}  // namespace

bool same_site(Site a, Site b) {
    static_assert(sizeof(Site) == sizeof(void*));
    if (std::bit_cast<const void*>(a) == std::bit_cast<const void*>(b)) return true;
    return a.line() == b.line() && a.column() == b.column() && a.file_name() == b.file_name();
}

void collective(const char* name, uint32_t mask, void* argument, Site site, CollectiveBody body) {
    Lane& lane = enter(name, site);
    Warp& warp = *lane.warp;
    const uint32_t needed = mask & warp.existing;
    if ((mask & lane.bit()) == 0) stop("wrong mask", "is not in its own mask 0x%08x", mask);
    if ((needed & warp.exited) != 0) {
        stop("wrong mask", "has exited lanes in its mask 0x%08x: 0x%08x", mask, needed & warp.exited);
    }
    Collective& joined = join_or_open(warp, lane, name, mask, site);
    joined.arguments[lane.number] = argument;
    joined.arrived |= lane.bit();
    if (joined.arrived != needed) return park();
    Counters& counters = warp.block->run->report->counters;
    ++counters.collectives;
    counters.bank_conflicts += warp.instructions.finish();
    body(warp, needed, joined.arguments);
    joined = warp.open[--warp.open_count];
    wake(warp, needed);
    maybe_yield();
}

Clock& own_clock(Lane& lane) {
    if (lane.own == nullptr) {
        lane.own = clock_store().make();
        lane.own->copy(*lane.warp->base);
    }
    return *lane.own;
}

void acquire(Lane& lane, const Clock& clock) {
    own_clock(lane).join(clock);
}

void release(Lane& lane, Clock& into) {
    into.join(view(lane));
    into.add_lane(lane.warp->number, lane.number, lane.tick);
    into.raise(collective_row + lane.warp->number, lane.warp->collective_tick);
    ++lane.tick;
}

void synchronise(Warp& warp, uint32_t lanes) {
    if (lanes != warp.alive()) {
        Clock* const joint = clock_store().make();
        for (uint32_t left = lanes; left != 0; left &= left - 1) release(warp.lanes[std::countr_zero(left)], *joint);
        for (uint32_t left = lanes; left != 0; left &= left - 1) acquire(warp.lanes[std::countr_zero(left)], *joint);
        clock_store().give_back(joint);
        return;
    }
    // The whole warp: what its lanes know becomes the warp's, without an entry for each of them.
    uint32_t tick = 0;
    for (uint32_t left = warp.existing; left != 0; left &= left - 1) {
        Lane& lane = warp.lanes[std::countr_zero(left)];
        tick = std::max(tick, lane.tick);
        if (lane.own == nullptr) continue;
        warp.base->join(*lane.own);
        clock_store().give_back(lane.own);
        lane.own = nullptr;
    }
    warp.base->raise(warp.number, tick);
    warp.base->raise(collective_row + warp.number, warp.collective_tick);
    warp.base->lanes[warp.number] = 0;
    warp.base->with_lanes &= ~(1u << warp.number);
    for (uint32_t left = warp.existing; left != 0; left &= left - 1) {
        warp.lanes[std::countr_zero(left)].tick = tick + 1;
    }
}

}  // namespace lk::emulated
