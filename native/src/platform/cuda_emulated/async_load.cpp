#include "platform/cuda_emulated/async_load.h"

#include <algorithm>
#include <cstring>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/async_write.h"
#include "platform/cuda_emulated/collective.h"
#include "platform/cuda_emulated/device_memory.h"
#include "platform/cuda_emulated/mbarrier.h"
#include "platform/cuda_emulated/primitives_async.h"
#include "platform/cuda_emulated/scheduler.h"
#include "platform/cuda_emulated/tensor_copy.h"

namespace lk::emulated {
namespace {

// Copies and swizzles run in chunks of 16 bytes; elements outside of the tensor are zeros.
constexpr uint32_t chunk_bytes = 16;

void start_load(Lane& lane, void* shared, const TensorMap& map, const int32_t (&corner)[3], uint64_t* mbarrier,
                uint32_t alignment, Site site) {
    Block& block = *lane.block;
    const uint32_t bytes = box_bytes(map);
    check_shared_operand(lane, shared, bytes, alignment, lane.doing);
    find_mbarrier_for_copy(lane, mbarrier);
    char* const destination = static_cast<char*>(shared);
    check_proxy(lane, destination, bytes, "lets the copy engine overwrite");
    uint32_t read = 0;
    visit_box_rows(map, corner, [&](uint32_t, char* global, uint32_t first, uint32_t inside, uint32_t) {
        if (inside == 0) return;
        note_access(lane, global + first, inside, AccessKind::read, nullptr);
        static_cast<void>(*static_cast<const volatile char*>(global + first));
        static_cast<void>(*static_cast<const volatile char*>(global + first + inside - 1));
        read += inside;
    });
    begin_async_write(lane, destination, bytes);
    block.loads.push_back({map, destination, {corner[0], corner[1], corner[2]}, bytes, mbarrier, nullptr, 0, site});
    Counters& counters = block.run->report->counters;
    ++counters.copies;
    counters.copy_bytes += read;
    // It may land at once.
    if (block.run->one_in(8)) land_load(block);
}

void land_box(Block& block, const AsyncLoad& load) {
    const uint32_t base = block.offset(load.shared);
    visit_box_rows(load.map, load.corner,
                   [&](uint32_t offset, char* global, uint32_t first, uint32_t inside, uint32_t row_bytes) {
                       for (uint32_t begin = 0; begin < row_bytes; begin += chunk_bytes) {
                           const uint32_t bytes = std::min(chunk_bytes, row_bytes - begin);
                           char chunk[chunk_bytes] = {};
                           const uint32_t from = std::max(begin, first);
                           const uint32_t to = std::min(begin + bytes, first + inside);
                           if (from < to) std::memcpy(chunk + (from - begin), global + from, to - from);
                           std::memcpy(block.shared + swizzled(load.map, base + offset + begin), chunk, bytes);
                       }
                   });
}

}  // namespace

void land_load(Block& block) {
    const size_t index = block.run->next_random() % block.loads.size();
    const AsyncLoad load = block.loads[index];
    block.loads.erase(block.loads.begin() + ptrdiff_t(index));
    MBarrier* const barrier = mbarrier_at(block, load.mbarrier);
    if (barrier == nullptr)
        return note_text(*block.run, "mbarrier: it is gone when the copy of " + text_of(load.site) + " lands");
    if (load.copies_of == nullptr) {
        const auto writer = uint16_t(Cell::agent | barrier->row);
        land_box(block, load);
        end_async_write(block, load.shared, load.bytes, writer, landing_tick(*barrier));
        complete_bytes(block, *barrier, load.bytes);
        return;
    }
    Groups<CpAsync>& copies = load.copies_of->copies;
    for (size_t i = 0; i < copies.operations.size() && copies.retired + i < load.copies; ++i) {
        land_copy(*load.copies_of, copies.operations[i], barrier);
    }
    complete_arrival(block, *barrier);
}

void cp_async_arrive(uint64_t* mbarrier, Site site) {
    Lane& lane = enter("cp_async_arrive", site);
    MBarrier& barrier = find_mbarrier(lane, mbarrier);
    if (lane.block->run->checked()) release(lane, *barrier.arriving);
    AsyncLoad arrival{};
    arrival.mbarrier = mbarrier;
    arrival.copies_of = &lane;
    arrival.copies = lane.copies.retired + lane.copies.operations.size();
    arrival.site = site;
    lane.block->loads.push_back(arrival);
}

void bulk_load(void* shared, const void* global, uint32_t bytes, uint64_t* mbarrier, Site site) {
    Lane& lane = enter("bulk_load", site);
    if (bytes == 0 || bytes % chunk_bytes != 0) stop("misaligned", "asks for %u bytes, not a multiple of 16", bytes);
    if (reinterpret_cast<uintptr_t>(global) % chunk_bytes != 0) {
        stop("misaligned", "gives bulk_load a source at %p, not aligned to 16 bytes", global);
    }
    start_load(lane, shared, bytes_map(global, bytes), {0, 0, 0}, mbarrier, chunk_bytes, site);
}

void tensor_load_2d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1, Site site) {
    Lane& lane = enter("tensor_load_2d", site);
    if (map->rank != 2) stop("tensor copy", "has a map of %u dimensions", map->rank);
    start_load(lane, shared, *map, {c0, c1, 0}, mbarrier, box_alignment(*map), site);
}

void tensor_load_3d(void* shared, const TensorMap* map, uint64_t* mbarrier, int c0, int c1, int c2, Site site) {
    Lane& lane = enter("tensor_load_3d", site);
    if (map->rank != 3) stop("tensor copy", "has a map of %u dimensions", map->rank);
    start_load(lane, shared, *map, {c0, c1, c2}, mbarrier, box_alignment(*map), site);
}

void tensor_map_prefetch(const TensorMap* map, Site site) {
    enter("tensor_map_prefetch", site);
    if (map->rank == 0 || map->rank > 5) stop("tensor copy", "prefetches what is no tensor map");
}

void bulk_prefetch(const void* global, uint32_t bytes, Site site) {
    Lane& lane = enter("bulk_prefetch", site);
    if (reinterpret_cast<uintptr_t>(global) % chunk_bytes != 0 || bytes % chunk_bytes != 0) {
        stop("misaligned", "prefetches %u bytes at %p", bytes, global);
    }
    const Allocation* const allocation = find_allocation(global);
    if (allocation != nullptr && allocation->holds(static_cast<const char*>(global) + bytes - 1)) return;
    note(lane, "out of bounds", nullptr, "prefetches %u bytes at %p, which are not all in global memory", bytes,
         global);
}

}  // namespace lk::emulated
