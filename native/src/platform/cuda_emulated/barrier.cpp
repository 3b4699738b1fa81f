#include "platform/cuda_emulated/barrier.h"

#include <algorithm>
#include <bit>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/primitives_warp.h"
#include "platform/cuda_emulated/scheduler.h"

namespace lk::emulated {
namespace {

// Everything that the waiting warps know and have done, and what was brought by those who only arrived, for them all.
void join_clocks(Block& block, NamedBarrier& barrier) {
    Clock* const joint = clock_store().make();
    if (barrier.clock != nullptr) joint->join(*barrier.clock);
    for (uint32_t i = 0; i < block.warp_count; ++i) {
        if (barrier.waiting[i] == 0) continue;
        Warp& warp = *block.warps[i];
        synchronise(warp, barrier.waiting[i]);
        joint->join(view(warp.lanes[std::countr_zero(barrier.waiting[i])]));
    }
    for (uint32_t i = 0; i < block.warp_count; ++i) {
        Warp& warp = *block.warps[i];
        if (barrier.waiting[i] == warp.alive()) {
            warp.base->copy(*joint);
            continue;
        }
        for (uint32_t left = barrier.waiting[i]; left != 0; left &= left - 1) {
            acquire(warp.lanes[std::countr_zero(left)], *joint);
        }
    }
    clock_store().give_back(joint);
    if (barrier.clock != nullptr) barrier.clock->clear();
}

void complete(Block& block, NamedBarrier& barrier) {
    Run& run = *block.run;
    if (run.checked()) join_clocks(block, barrier);
    barrier.result_any = barrier.count_true != 0;
    barrier.result_all = barrier.count_true == barrier.arrived;
    barrier.arrived = 0;
    barrier.expected = 0;
    barrier.count_true = 0;
    for (uint32_t i = 0; i < block.warp_count; ++i) {
        if (barrier.waiting[i] == 0) continue;
        run.report->counters.bank_conflicts += block.warps[i]->instructions.finish();
        wake(*block.warps[i], barrier.waiting[i]);
        barrier.waiting[i] = 0;
    }
    ++run.report->counters.barriers;
}

// `threads` 0: all that have not exited.
void check_arrival(Block& block, const NamedBarrier& barrier, int id, int threads) {
    if (id < 0 || id > 15) stop("barrier", "names barrier %d; there are 0 to 15", id);
    if (threads % int(warp_size) != 0 || threads < 0 || threads > int((block.threads + 31) / 32 * 32)) {
        stop("barrier", "gives barrier %d %d threads, not a multiple of 32 that the block has", id, threads);
    }
    if (barrier.arrived != 0 && barrier.expected != uint32_t(threads)) {
        stop("barrier", "gives barrier %d %d threads where others have given it %u", id, threads, barrier.expected);
    }
}

bool is_complete(const Block& block, const NamedBarrier& barrier) {
    return barrier.arrived >= (barrier.expected != 0 ? barrier.expected : block.alive);
}

NamedBarrier& wait(const char* name, int id, int threads, bool predicate, Site site) {
    Lane& lane = enter(name, site);
    Warp& warp = *lane.warp;
    Block& block = *lane.block;
    NamedBarrier& barrier = block.barriers[id & 15];
    check_arrival(block, barrier, id, threads);
    if (barrier.waiting[warp.number] != 0 && !same_site(barrier.site[warp.number], site)) {
        stop("divergence", "came to %s while lanes of its warp wait at %s", name,
             text_of(barrier.site[warp.number]).c_str());
    }
    for (uint32_t i = 0; i < warp.open_count; ++i) {
        if ((warp.open[i].mask & lane.bit()) == 0) continue;
        stop("divergence", "came to %s while lanes of its warp wait for it in %s %s", name, warp.open[i].name,
             text_of(warp.open[i].site).c_str());
    }
    barrier.waiting[warp.number] |= lane.bit();
    barrier.site[warp.number] = site;
    barrier.expected = uint32_t(threads);
    ++barrier.arrived;
    barrier.count_true += predicate;
    if (!is_complete(block, barrier)) {
        park();
        return barrier;
    }
    complete(block, barrier);
    block.current_warp = pick_bit(block.runnable_warps, block.run->next_random());
    switch_away();
    return barrier;
}

}  // namespace

void release_barrier_after_exit(Block& block) {
    NamedBarrier& barrier = block.barriers[0];
    if (barrier.arrived != 0 && barrier.expected == 0 && is_complete(block, barrier)) complete(block, barrier);
}

void block_sync(Site site) {
    wait("block_sync", 0, 0, false, site);
}

bool block_sync_or(bool predicate, Site site) {
    return wait("block_sync_or", 0, 0, predicate, site).result_any;
}

bool block_sync_and(bool predicate, Site site) {
    return wait("block_sync_and", 0, 0, predicate, site).result_all;
}

void barrier_sync(int id, int threads, Site site) {
    wait("barrier_sync", id, threads, false, site);
}

void barrier_arrive(int id, int threads, Site site) {
    Lane& lane = enter("barrier_arrive", site);
    Block& block = *lane.block;
    NamedBarrier& barrier = block.barriers[id & 15];
    check_arrival(block, barrier, id, threads);
    if (threads == 0) stop("barrier", "arrives at barrier %d without a count of threads", id);
    barrier.expected = uint32_t(threads);
    ++barrier.arrived;
    if (block.run->checked()) {
        if (barrier.clock == nullptr) barrier.clock = clock_store().make();
        release(lane, *barrier.clock);
    }
    if (is_complete(block, barrier)) complete(block, barrier);
}

}  // namespace lk::emulated
