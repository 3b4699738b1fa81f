#include "platform/cuda_emulated/mbarrier.h"

#include <algorithm>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/async_write.h"
#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/primitives_async.h"
#include "platform/cuda_emulated/scheduler.h"

namespace lk::emulated {
namespace {

constexpr uint32_t most_arrivals = (1u << 20) - 1;

void complete_phase_if_due(Block& block, MBarrier& barrier) {
    if (barrier.pending != 0 || barrier.bytes != 0) return;
    if (block.run->checked()) {
        barrier.completed->copy(*barrier.arriving);
        barrier.completed->raise(barrier.row, landing_tick(barrier));
    }
    ++barrier.phase;
    barrier.pending = barrier.count;
    for (Lane* const lane : barrier.waiters) wake(*lane);
    barrier.waiters.clear();
}

void arrive(Lane& lane, MBarrier& barrier) {
    if (barrier.pending == 0) {
        stop("mbarrier", "arrives at the mbarrier of %s, of whose phase all %u arrivals have come",
             text_of(barrier.site).c_str(), barrier.count);
    }
    if (lane.block->run->checked()) release(lane, *barrier.arriving);
    --barrier.pending;
    complete_phase_if_due(*lane.block, barrier);
}

bool is_complete(const MBarrier& barrier, uint32_t parity) {
    return (barrier.phase & 1) != parity;
}

}  // namespace

MBarrier* mbarrier_at(Block& block, const uint64_t* address) {
    for (const auto& barrier : block.mbarriers) {
        if (barrier->address == address) return barrier.get();
    }
    return nullptr;
}

MBarrier& find_mbarrier(Lane& lane, const uint64_t* address) {
    MBarrier* const barrier = mbarrier_at(*lane.block, address);
    if (barrier == nullptr) {
        stop("mbarrier", "uses memory at %p, where no mbarrier has been initialised",
             static_cast<const void*>(address));
    }
    const bool knows =
        !lane.block->run->checked() || barrier->initialiser == lane.index ||
        view(lane).knows_lane(barrier->initialiser / warp_size, barrier->initialiser % warp_size, barrier->init_tick);
    if (!knows) {
        note(lane, "mbarrier", nullptr, "uses the mbarrier initialised at %s without a barrier between",
             text_of(barrier->site).c_str());
    }
    return *barrier;
}

MBarrier& find_mbarrier_for_copy(Lane& lane, const uint64_t* address) {
    MBarrier& barrier = find_mbarrier(lane, address);
    if (!barrier.fenced) {
        note(lane, "mbarrier", nullptr, "hands the copy engine the mbarrier of %s without fence_mbarrier_init after it",
             text_of(barrier.site).c_str());
    }
    return barrier;
}

void complete_bytes(Block& block, MBarrier& barrier, uint32_t bytes) {
    barrier.bytes -= bytes;
    complete_phase_if_due(block, barrier);
}

void complete_arrival(Block& block, MBarrier& barrier) {
    if (barrier.pending != 0) --barrier.pending;
    complete_phase_if_due(block, barrier);
}

std::string describe_mbarriers(const Block& block) {
    std::string text;
    for (const auto& barrier : block.mbarriers) {
        if (barrier->waiters.empty()) continue;
        text += " [the mbarrier of " + text_of(barrier->site) + " in phase " + std::to_string(barrier->phase) +
                " lacks " + std::to_string(barrier->pending) + " arrivals and " + std::to_string(barrier->bytes) +
                " bytes]";
    }
    return text;
}

void mbarrier_init(uint64_t* address, uint32_t count, Site site) {
    Lane& lane = enter("mbarrier_init", site);
    Block& block = *lane.block;
    check_shared_operand(lane, address, sizeof *address, sizeof *address, "mbarrier_init");
    if (count == 0 || count > most_arrivals) stop("mbarrier", "is made for %u arrivals", count);
    if (const MBarrier* const living = mbarrier_at(block, address)) {
        stop("mbarrier", "initialises the living mbarrier of %s", text_of(living->site).c_str());
    }
    if (block.mbarriers.size() == max_mbarriers) stop("mbarrier", "makes more than %u mbarriers", max_mbarriers);
    auto barrier = std::make_unique<MBarrier>();
    barrier->address = address;
    barrier->row = mbarrier_row + uint32_t(block.mbarriers.size());
    barrier->count = barrier->pending = count;
    barrier->initialiser = lane.index;
    barrier->init_tick = lane.tick;
    barrier->site = site;
    if (block.run->checked()) {
        note_shared_access(lane, address, sizeof *address, AccessKind::write, nullptr);
        barrier->arriving = clock_store().make();
        barrier->completed = clock_store().make();
    }
    block.mbarriers.push_back(std::move(barrier));
}

void mbarrier_invalidate(uint64_t* address, Site site) {
    Lane& lane = enter("mbarrier_invalidate", site);
    MBarrier& barrier = find_mbarrier(lane, address);
    if (!barrier.waiters.empty() || barrier.bytes != 0) {
        stop("mbarrier", "invalidates the mbarrier of %s while it is waited for", text_of(barrier.site).c_str());
    }
    barrier.address = nullptr;  // its row of the clocks is not used again
    if (lane.block->run->checked()) {
        note_shared_access(lane, address, sizeof *address, AccessKind::write, nullptr);
    }
}

void mbarrier_arrive(uint64_t* address, Site site) {
    Lane& lane = enter("mbarrier_arrive", site);
    arrive(lane, find_mbarrier(lane, address));
}

void mbarrier_expect_tx(uint64_t* address, uint32_t bytes, Site site) {
    Lane& lane = enter("mbarrier_expect_tx", site);
    find_mbarrier(lane, address).bytes += bytes;
}

void mbarrier_arrive_expect_tx(uint64_t* address, uint32_t bytes, Site site) {
    Lane& lane = enter("mbarrier_arrive_expect_tx", site);
    MBarrier& barrier = find_mbarrier(lane, address);
    barrier.bytes += bytes;
    arrive(lane, barrier);
}

bool mbarrier_test(uint64_t* address, uint32_t parity, Site site) {
    Lane& lane = enter("mbarrier_test", site);
    if (!is_complete(find_mbarrier(lane, address), parity)) poll_failed();
    const MBarrier& barrier = find_mbarrier(lane, address);
    if (!is_complete(barrier, parity)) return false;
    if (lane.block->run->checked()) acquire(lane, *barrier.completed);
    return true;
}

void mbarrier_wait(uint64_t* address, uint32_t parity, Site site) {
    Lane& lane = enter("mbarrier_wait", site);
    for (;;) {
        MBarrier& barrier = find_mbarrier(lane, address);
        if (is_complete(barrier, parity)) {
            if (lane.block->run->checked()) acquire(lane, *barrier.completed);
            return;
        }
        barrier.waiters.push_back(&lane);
        park();
    }
}

void fence_mbarrier_init(Site site) {
    Lane& lane = enter("fence_mbarrier_init", site);
    for (const auto& barrier : lane.block->mbarriers) {
        if (barrier->initialiser == lane.index) barrier->fenced = true;
    }
}

}  // namespace lk::emulated
