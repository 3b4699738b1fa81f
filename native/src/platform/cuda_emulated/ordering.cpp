// Atomics, acquire and release, fences: what passes knowledge between threads without a barrier.
#include <bit>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/primitives_async.h"
#include "platform/cuda_emulated/primitives_memory.h"
#include "platform/cuda_emulated/scheduler.h"

namespace lk::emulated {
namespace {

// What the lane knows and has done, for the threads of any block.
const ForeignClocks* publish(Lane& lane) {
    ForeignClocks clocks;
    if (view(lane).foreign != nullptr) clocks = *view(lane).foreign;
    Clock* const mine = clock_store().make();
    release(lane, *mine);
    mine->foreign = nullptr;
    clocks[lane.block->number] = mine;
    return clock_store().keep(std::move(clocks));
}

void learn(Lane& lane, const ForeignClocks* clocks) {
    if (clocks == nullptr) return;
    Clock& known = own_clock(lane);
    known.foreign = join_foreign(known.foreign, clocks);
    const auto own = clocks->find(lane.block->number);
    if (own != clocks->end()) known.join(*own->second);
}

const ForeignClocks* released_at(const Run& run, const void* address) {
    const auto found = run.flags.find(reinterpret_cast<uintptr_t>(address));
    return found == run.flags.end() ? nullptr : found->second;
}

void read_flag(Lane& lane, const void* address, bool acquires) {
    const ForeignClocks* const clocks = released_at(*lane.block->run, address);
    if (acquires) return learn(lane, clocks);
    lane.unacquired = join_foreign(lane.unacquired, clocks);
}

void write_flag(Lane& lane, const void* address, bool releases, bool is_update) {
    Run& run = *lane.block->run;
    const ForeignClocks* const fenced = lane.block->owns_window(address) ? lane.released_to_block : lane.released;
    const ForeignClocks* const mine = releases ? publish(lane) : fenced;
    const auto key = reinterpret_cast<uintptr_t>(address);
    if (mine == nullptr) {
        // A plain relaxed store hides what was released before it; an update passes it on.
        if (!is_update) run.flags.erase(key);
        return;
    }
    const ForeignClocks*& flag = run.flags[key];
    flag = is_update ? join_foreign(mine, flag) : mine;
}

void wake_spinners(Run& run, const void* address) {
    for (size_t i = 0; i < run.spinners.size();) {
        const Spinner spinner = run.spinners[i];
        if (spinner.address != address || *spinner.address != spinner.value) {
            ++i;
            continue;
        }
        run.spinners.erase(run.spinners.begin() + ptrdiff_t(i));
        wake(*spinner.lane);
    }
}

void check_word(const void* address, const char* what) {
    if (reinterpret_cast<uintptr_t>(address) % sizeof(uint32_t) != 0) {
        stop("misaligned", "gives %s an address that is not aligned to 4 bytes: %p", what, address);
    }
}

uint32_t combine(AtomicOperation operation, uint32_t before, uint32_t operand, uint32_t expected) {
    switch (operation) {
        case AtomicOperation::add_u32:
            return before + operand;
        case AtomicOperation::add_f32:
            return std::bit_cast<uint32_t>(std::bit_cast<float>(before) + std::bit_cast<float>(operand));
        case AtomicOperation::max_u32:
            return before > operand ? before : operand;
        case AtomicOperation::max_s32:
            return int32_t(before) > int32_t(operand) ? before : operand;
        case AtomicOperation::exchange:
            return operand;
        case AtomicOperation::compare_exchange:
            return before == expected ? operand : before;
    }
    return before;
}

void fence(Lane& lane, bool device_wide) {
    if (!lane.block->run->checked()) return;
    learn(lane, lane.unacquired);
    lane.unacquired = nullptr;
    lane.released_to_block = publish(lane);
    if (device_wide) lane.released = lane.released_to_block;
}

void fence_proxy(Lane& lane) {
    if (lane.block->run->checked()) release(lane, *lane.block->proxy_fenced);
}

}  // namespace

void announce_load(const void* address, uint32_t bytes, Site site) {
    note_access(enter("load", site), address, bytes, AccessKind::read, nullptr);
}

void announce_store(void* address, uint32_t bytes, Site site) {
    note_access(enter("store", site), address, bytes, AccessKind::write, nullptr);
}

uint32_t atomic(AtomicOperation operation, MemoryOrder order, void* address, uint32_t operand, uint32_t expected,
                Site site) {
    Lane& lane = enter("atomic", site);
    check_word(address, "an atomic");
    note_access(lane, address, sizeof(uint32_t), AccessKind::atomic, nullptr);
    auto* const word = static_cast<uint32_t*>(address);
    // One launch at a time and one fiber at a time: nobody comes between.
    const uint32_t before = *word;
    *word = combine(operation, before, operand, expected);
    if (lane.block->run->checked()) {
        read_flag(lane, address, order == MemoryOrder::acquire || order == MemoryOrder::acquire_release);
        write_flag(lane, address, order == MemoryOrder::release || order == MemoryOrder::acquire_release, true);
    }
    wake_spinners(*lane.block->run, address);
    return before;
}

uint32_t load_acquire(const uint32_t* address, Site site) {
    Lane& lane = enter("load_acquire", site);
    check_word(address, "load_acquire");
    poll_failed();
    note_access(lane, address, sizeof *address, AccessKind::atomic_read, nullptr);
    if (lane.block->run->checked()) read_flag(lane, address, true);
    return *address;
}

void store_release(uint32_t* address, uint32_t value, Site site) {
    Lane& lane = enter("store_release", site);
    check_word(address, "store_release");
    note_access(lane, address, sizeof *address, AccessKind::atomic, nullptr);
    *address = value;
    if (lane.block->run->checked()) write_flag(lane, address, true, false);
    wake_spinners(*lane.block->run, address);
}

void wait_until_equal(const uint32_t* address, uint32_t value, Site site) {
    Lane& lane = enter("wait_until_equal", site);
    check_word(address, "wait_until_equal");
    while (*address != value) {
        lane.block->run->spinners.push_back({address, value, &lane});
        park();
    }
    note_access(lane, address, sizeof *address, AccessKind::atomic_read, nullptr);
    if (lane.block->run->checked()) read_flag(lane, address, true);
}

void fence_block(Site site) {
    fence(enter("fence_block", site), false);
}

void fence_gpu(Site site) {
    fence(enter("fence_gpu", site), true);
}

void fence_proxy_async_shared(Site site) {
    fence_proxy(enter("fence_proxy_async_shared", site));
}

void fence_proxy_async(Site site) {
    fence_proxy(enter("fence_proxy_async", site));
}

}  // namespace lk::emulated
