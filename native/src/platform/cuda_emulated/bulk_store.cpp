#include "platform/cuda_emulated/bulk_store.h"

#include <algorithm>
#include <cstring>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/async_write.h"
#include "platform/cuda_emulated/primitives_async.h"
#include "platform/cuda_emulated/scheduler.h"
#include "platform/cuda_emulated/tensor_copy.h"

namespace lk::emulated {
namespace {

constexpr uint32_t chunk_bytes = 16;

// Calls visit(address, bytes) for the parts of the source that have a place in the tensor.
template <class Visit>
void visit_source(Block& block, const BulkStore& store, Visit visit) {
    const uint32_t base = block.offset(store.shared);
    visit_box_rows(store.map, store.corner, [&](uint32_t offset, char*, uint32_t first, uint32_t inside, uint32_t) {
        for (uint32_t begin = first; begin < first + inside;) {
            const uint32_t end = std::min(begin / chunk_bytes * chunk_bytes + chunk_bytes, first + inside);
            visit(block.shared + swizzled(store.map, base + offset + begin), end - begin);
            begin = end;
        }
    });
}

void start_store(Lane& lane, const TensorMap& map, const int32_t (&corner)[3], const void* shared, uint32_t alignment,
                 Site site) {
    Block& block = *lane.block;
    const uint32_t bytes = box_bytes(map);
    check_shared_operand(lane, shared, bytes, alignment, lane.doing);
    char* const source = const_cast<char*>(static_cast<const char*>(shared));
    BulkStore store{map, source, {corner[0], corner[1], corner[2]}, bytes, false, {}, site};
    visit_source(block, store, [&](char* part, uint32_t length) {
        check_proxy(lane, part, length, "lets the copy engine read");
        if (block.run->checked()) note_shared_access(lane, part, length, AccessKind::read, nullptr);
        begin_async_read(block, part, length);
    });
    lane.stores.add(std::move(store));
    Counters& counters = block.run->report->counters;
    ++counters.copies;
    counters.copy_bytes += bytes;
}

// Takes the source's bytes, in the order of the box.
void read_source(Lane& lane, BulkStore& store) {
    if (store.read) return;
    store.read = true;
    Block& block = *lane.block;
    visit_source(block, store, [&](char* part, uint32_t length) {
        end_async_read(block, part, length);
        if (block.run->checked()) note_shared_access(lane, part, length, AccessKind::read, nullptr);
    });
    store.data.resize(store.bytes);
    const uint32_t base = block.offset(store.shared);
    for (uint32_t begin = 0; begin < store.bytes; begin += chunk_bytes) {
        const uint32_t bytes = std::min(chunk_bytes, store.bytes - begin);
        std::memcpy(&store.data[begin], block.shared + swizzled(store.map, base + begin), bytes);
    }
}

void write_destination(Lane& lane, BulkStore& store) {
    read_source(lane, store);
    visit_box_rows(store.map, store.corner,
                   [&](uint32_t offset, char* global, uint32_t first, uint32_t inside, uint32_t) {
                       if (inside == 0) return;
                       note_access(lane, global + first, inside, AccessKind::write, nullptr);
                       std::memcpy(global + first, &store.data[offset + first], inside);
                   });
}

}  // namespace

void land_all_stores(Lane& lane) {
    for (BulkStore& store : lane.stores.operations) write_destination(lane, store);
    lane.stores.clear();
}

void bulk_store(void* global, const void* shared, uint32_t bytes, Site site) {
    Lane& lane = enter("bulk_store", site);
    if (bytes == 0 || bytes % chunk_bytes != 0) stop("misaligned", "stores %u bytes, not a multiple of 16", bytes);
    if (reinterpret_cast<uintptr_t>(global) % chunk_bytes != 0) {
        stop("misaligned", "gives bulk_store a destination at %p, not aligned to 16 bytes", global);
    }
    start_store(lane, bytes_map(global, bytes), {0, 0, 0}, shared, chunk_bytes, site);
}

void tensor_store_2d(const TensorMap* map, const void* shared, int c0, int c1, Site site) {
    Lane& lane = enter("tensor_store_2d", site);
    if (map->rank != 2) stop("tensor copy", "has a map of %u dimensions", map->rank);
    start_store(lane, *map, {c0, c1, 0}, shared, box_alignment(*map), site);
}

void bulk_commit(Site site) {
    enter("bulk_commit", site).stores.commit();
}

void bulk_wait_read(int pending, Site site) {
    Lane& lane = enter("bulk_wait_read", site);
    const size_t due = lane.stores.due(size_t(pending));
    for (size_t i = 0; i < due; ++i) read_source(lane, lane.stores.operations[i]);
}

void bulk_wait(int pending, Site site) {
    Lane& lane = enter("bulk_wait", site);
    const size_t due = lane.stores.due(size_t(pending));
    for (size_t i = 0; i < due; ++i) write_destination(lane, lane.stores.operations[i]);
    lane.stores.retire(size_t(pending));
}

}  // namespace lk::emulated
