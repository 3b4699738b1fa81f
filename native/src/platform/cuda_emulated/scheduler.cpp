#include "platform/cuda_emulated/scheduler.h"

#include <algorithm>

#include "platform/cuda_emulated/async_load.h"
#include "platform/cuda_emulated/barrier.h"
#include "platform/cuda_emulated/block.h"
#include "platform/cuda_emulated/findings.h"
#include "platform/cuda_emulated/mbarrier.h"

namespace lk::emulated {
namespace {

// Polls without any other event after which a launch counts as stuck.
constexpr uint64_t most_polls = 1 << 20;

void switch_to(Lane* from, Lane& to) {
    if (&to == from) return;
    Run& run = *to.block->run;
    ++run.report->counters.switches;
    current_lane = &to;
    if (watched_lane != nullptr) watched_lane = &to;
    lk_emulated_switch(&from->stack_pointer, to.stack_pointer);
}

[[noreturn]] void leave(Lane& from) {
    Run& run = *from.block->run;
    current_lane = nullptr;
    watched_lane = nullptr;
    lk_emulated_switch(&from.stack_pointer, run.main_stack_pointer);
    __builtin_unreachable();
}

// "warp 3 waits in mbarrier_wait kernel.cuh:40" for every warp that has not exited.
std::string describe_waits(const Block& block) {
    std::string text = name_of(block) + ":";
    for (const auto& warp : block.warps) {
        if (warp->number >= block.warp_count) break;
        if (warp->alive() == 0) continue;
        const Lane& lane = warp->lanes[__builtin_ctz(warp->alive())];
        text.append(" [warp ").append(std::to_string(warp->number)).append(" waits in ");
        text.append(lane.doing != nullptr ? lane.doing : "?").append(" at ").append(text_of(lane.site)).append("]");
    }
    return text + describe_mbarriers(block);
}

void note_deadlock(Run& run) {
    constexpr size_t most_blocks = 4;
    std::string text = "dead-lock: nothing can go on.";
    for (size_t i = 0; i < run.resident.size() && i < most_blocks; ++i)
        text.append(" ").append(describe_waits(*run.resident[i]));
    if (run.resident.size() > most_blocks) {
        text.append(" and ").append(std::to_string(run.resident.size() - most_blocks)).append(" more blocks");
    }
    if (run.next_block < run.block_count) {
        text.append("; ").append(std::to_string(run.block_count - run.next_block));
        text.append(" blocks have not begun, for the device holds only ").append(std::to_string(run.resident_limit));
        text.append(" of them at once");
    }
    note_text(run, text);
    run.aborting = true;
}

// Wakes the lanes whose flags have come.
void poll_spinners(Run& run) {
    for (size_t i = 0; i < run.spinners.size();) {
        const Spinner spinner = run.spinners[i];
        if (__atomic_load_n(spinner.address, __ATOMIC_RELAXED) != spinner.value) {
            ++i;
            continue;
        }
        run.spinners.erase(run.spinners.begin() + ptrdiff_t(i));
        wake(*spinner.lane);
    }
}

Block* runnable_block(Run& run) {
    const size_t count = run.resident.size();
    if (count == 0) return nullptr;
    const size_t first = run.next_random() % count;
    for (size_t i = 0; i < count; ++i) {
        Block* const block = run.resident[(first + i) % count];
        if (block->runnable_warps != 0) return block;
    }
    return nullptr;
}

Block* block_with_loads(Run& run) {
    for (Block* const block : run.resident) {
        if (!block->loads.empty()) return block;
    }
    return nullptr;
}

// The block to go on with when the lane's own has nothing to run, or may give way. Null: nothing can go on.
Block* choose_block(Run& run) {
    for (;;) {
        poll_spinners(run);
        if (Block* const block = runnable_block(run)) return block;
        if (Block* const block = block_with_loads(run)) {
            land_load(*block);
        } else if (run.next_block < run.block_count && run.resident.size() < run.resident_limit) {
            start_blocks(run, 1);
        } else {
            return nullptr;
        }
    }
}

Lane& choose_lane(Run& run, Block& block) {
    if ((block.runnable_warps >> block.current_warp & 1) == 0) {
        block.current_warp = pick_bit(block.runnable_warps, run.next_random());
    }
    Warp& warp = *block.warps[block.current_warp];
    return warp.lanes[pick_bit(warp.runnable, run.next_random())];
}

}  // namespace

void switch_away() {
    Lane& from = *current_lane;
    Run& run = *from.block->run;
    Block* block = from.block;
    if (!block->loads.empty() && run.one_in(8)) land_load(*block);
    const bool give_way = run.resident.size() > 1 && run.one_in(64);
    if (block->runnable_warps == 0 || give_way) block = choose_block(run);
    if (block == nullptr) {
        if (!run.resident.empty()) note_deadlock(run);
        leave(from);
    }
    switch_to(&from, choose_lane(run, *block));
}

void park() {
    Lane& lane = *current_lane;
    Warp& warp = *lane.warp;
    warp.runnable &= ~lane.bit();
    if (warp.runnable == 0) warp.block->runnable_warps &= ~(1u << warp.number);
    switch_away();
}

void wake(Warp& warp, uint32_t lanes) {
    warp.runnable |= lanes;
    warp.block->runnable_warps |= 1u << warp.number;
    warp.block->run->polls = 0;
}

void wake(Lane& lane) {
    wake(*lane.warp, lane.bit());
}

void maybe_yield() {
    Lane& lane = *current_lane;
    Block& block = *lane.block;
    Run& run = *block.run;
    if (run.options->preemption == 0 || !run.one_in(run.options->preemption)) return;
    const uint32_t others = block.runnable_warps & ~(1u << block.current_warp);
    if (others == 0) return;
    block.current_warp = pick_bit(others, run.next_random());
    switch_away();
}

void poll_failed() {
    Block& block = *current_lane->block;
    Run& run = *block.run;
    if (++run.polls > most_polls) stop("live-lock", "polls for ever: nothing else happens any more");
    poll_spinners(run);
    if (!block.loads.empty() && run.one_in(4)) land_load(block);
    const bool more = run.next_block < run.block_count && run.resident.size() < run.resident_limit;
    if (more && run.one_in(64)) start_blocks(run, 1);
    Block* const next = runnable_block(run);
    if (next->runnable_warps != 0) next->current_warp = pick_bit(next->runnable_warps, run.next_random());
    switch_to(current_lane, choose_lane(run, *next));
}

void start_blocks(Run& run, uint32_t count) {
    for (; count > 0 && run.next_block < run.block_count && run.resident.size() < run.resident_limit; --count) {
        const uint64_t order = run.next_block++;
        start_block(run, uint32_t((order * run.block_stride + run.options->seed) % run.block_count));
    }
    auto& most = run.report->counters.resident_blocks;
    most = std::max(most, uint32_t(run.resident.size()));
}

void exit_lane() {
    Lane& lane = *current_lane;
    Warp& warp = *lane.warp;
    Block& block = *lane.block;
    Run& run = *block.run;
    check_exit(lane);
    lane.done = true;
    warp.exited |= lane.bit();
    warp.runnable &= ~lane.bit();
    if (warp.runnable == 0) block.runnable_warps &= ~(1u << warp.number);
    --block.alive;
    run.polls = 0;
    if (block.alive != 0) {
        release_barrier_after_exit(block);
    } else {
        end_block(block);
        start_blocks(run, 1);
    }
    // The last fiber of the launch goes back to the caller of execute.
    if (run.resident.empty()) leave(lane);
    switch_away();
    __builtin_unreachable();
}

}  // namespace lk::emulated
