// cp.async: lands at its wait, or when an mbarrier that waits for it lets it; never earlier.
#include <cstring>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/async_load.h"
#include "platform/cuda_emulated/async_write.h"
#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/mbarrier.h"
#include "platform/cuda_emulated/primitives_async.h"
#include "platform/cuda_emulated/scheduler.h"

namespace lk::emulated {

namespace {

// The mbarrier with an arrival that waits for the lane's copy of this number; null if there is none.
MBarrier* awaiting_mbarrier(Lane& lane, uint64_t number) {
    for (const AsyncLoad& load : lane.block->loads) {
        if (load.copies_of == &lane && number < load.copies) return mbarrier_at(*lane.block, load.mbarrier);
    }
    return nullptr;
}

}  // namespace

void land_copy(Lane& lane, CpAsync& copy, const MBarrier* mbarrier) {
    if (copy.landed) return;
    copy.landed = true;
    std::memcpy(copy.shared, copy.global, copy.source_bytes);
    std::memset(copy.shared + copy.source_bytes, 0, size_t(copy.bytes - copy.source_bytes));
    if (mbarrier == nullptr) return end_async_write(*lane.block, copy.shared, copy.bytes, lane.index, lane.tick);
    copy.row = mbarrier->row;
    copy.tick = landing_tick(*mbarrier);
    end_async_write(*lane.block, copy.shared, copy.bytes, uint16_t(Cell::agent | copy.row), copy.tick);
}

void cp_async_bytes(void* shared, const void* global, int bytes, int source_bytes, Site site) {
    Lane& lane = enter("cp_async", site);
    const auto size = uint32_t(bytes);
    if (source_bytes < 0 || source_bytes > bytes) {
        stop("cp_async", "asks for %d of %d bytes from the source", source_bytes, bytes);
    }
    check_shared_operand(lane, shared, size, size, "cp_async");
    if (source_bytes != 0) {
        if (reinterpret_cast<uintptr_t>(global) % size != 0) {
            stop("misaligned", "gives cp_async a source at %p, which is not aligned to %u bytes", global, size);
        }
        note_access(lane, global, uint32_t(source_bytes), AccessKind::read, nullptr);
        // Out of bounds it faults here, where its place is known.
        static_cast<void>(*static_cast<const volatile char*>(global));
    }
    begin_async_write(lane, static_cast<char*>(shared), size);
    lane.copies.add({static_cast<char*>(shared), static_cast<const char*>(global), uint16_t(bytes),
                     uint16_t(source_bytes), false, site});
    Counters& counters = lane.block->run->report->counters;
    ++counters.copies;
    counters.copy_bytes += uint32_t(source_bytes);
}

void cp_async_commit(Site site) {
    enter("cp_async_commit", site).copies.commit();
}

void cp_async_wait(int pending, Site site) {
    Lane& lane = enter("cp_async_wait", site);
    const size_t due = lane.copies.due(size_t(pending));
    for (size_t i = 0; i < due; ++i) {
        CpAsync& copy = lane.copies.operations[i];
        if (!copy.landed) land_copy(lane, copy, awaiting_mbarrier(lane, lane.copies.retired + i));
        // This lane need not wait for the mbarrier to see what it copied itself.
        if (copy.row != 0 && lane.block->run->checked()) own_clock(lane).raise(copy.row, copy.tick);
    }
    lane.copies.retire(size_t(pending));
}

}  // namespace lk::emulated
