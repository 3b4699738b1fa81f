// Programmatic dependent launches, and registers that warpgroups hand to each other.
#include <algorithm>
#include <bit>

#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/findings.h"
#include "platform/cuda_emulated/primitives_warp.h"
#include "platform/cuda_emulated/scheduler.h"

namespace lk::emulated {
namespace {

struct RegisterChange {
    uint32_t registers;
    bool increase;
    bool granted;
};

// Gives the warp its registers if the block has them.
void change_body(Warp& warp, uint32_t lanes, void* const* arguments) {
    auto& change = *static_cast<RegisterChange*>(arguments[std::countr_zero(lanes)]);
    if (lanes != all_lanes) stop("divergence", "setmaxnreg in a warp with lanes 0x%08x only", lanes);
    if (change.increase ? change.registers < warp.registers : change.registers > warp.registers) {
        stop("registers", "%s from %u registers a thread to %u", change.increase ? "increases" : "decreases",
             warp.registers, change.registers);
    }
    Block& block = *warp.block;
    const int64_t wanted = (int64_t(change.registers) - warp.registers) * warp_size;
    change.granted = wanted <= block.free_registers;
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
        static_cast<RegisterChange*>(arguments[lane])->granted = change.granted;
    }
    if (!change.granted) {
        for (uint32_t i = 0; i < warp_size; ++i) block.waiting_for_registers.push_back(&warp.lanes[i]);
        return;
    }
    block.free_registers -= wanted;
    warp.registers = change.registers;
    if (change.increase) return;
    for (Lane* const waiting : block.waiting_for_registers) wake(*waiting);
    block.waiting_for_registers.clear();
}

}  // namespace

void grid_dependency_wait(Site site) {
    Lane& lane = enter("grid_dependency_wait", site);
    if (lane.block->run->checked()) own_clock(lane).raise(previous_grid_row, 1);
}

void grid_launch_dependents(Site site) {
    enter("grid_launch_dependents", site);
}

void change_registers(int registers, bool increase, Site site) {
    const char* const name = increase ? "registers_increase" : "registers_decrease";
    Lane& lane = enter(name, site);
    for (;;) {
        RegisterChange mine{uint32_t(registers), increase, false};
        collective(name, all_lanes, &mine, site, change_body);
        if (mine.granted) return;
        // Registers may have come free between the collective and here: this lane is off the list then.
        auto& waiting = lane.block->waiting_for_registers;
        while (std::find(waiting.begin(), waiting.end(), &lane) != waiting.end()) park();
    }
}

}  // namespace lk::emulated
