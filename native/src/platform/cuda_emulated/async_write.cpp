#include "platform/cuda_emulated/async_write.h"

#include <algorithm>
#include <limits>

#include "platform/cuda_emulated/access.h"

namespace lk::emulated {
namespace {

template <class Visit>
void visit_shared(Block& block, const char* shared, uint32_t bytes, Visit visit) {
    visit_cells(block.shadow.data(), block.cells, block.shared, block.offset(shared), bytes,
                [&](Cell& cell, const char* address) { visit(cell, address); });
}

}  // namespace

void begin_async_write(Lane& lane, char* shared, uint32_t bytes) {
    Block& block = *lane.block;
    if (block.run->checked()) {
        note_shared_access(lane, shared, bytes, AccessKind::write, nullptr);
        visit_shared(block, shared, bytes, [](Cell& cell, const char*) { cell.flags |= Cell::in_flight; });
    }
    auto* const words = reinterpret_cast<uint32_t*>(shared);
    std::fill(words, words + bytes / 4, poison_word);
}

void end_async_write(Block& block, const char* shared, uint32_t bytes, uint16_t writer, uint32_t tick) {
    if (!block.run->checked()) return;
    visit_shared(block, shared, bytes, [&](Cell& cell, const char*) {
        cell.flags &= uint8_t(~(Cell::in_flight | Cell::atomic));
        cell.flags |= Cell::initialised;
        cell.write_block = block.number;
        cell.write_thread = writer;
        cell.write_tick = tick;
        cell.reader.lanes = 0;
    });
}

void check_shared_operand(const Lane& lane, const void* shared, uint32_t bytes, uint32_t alignment, const char* what) {
    const Block& block = *lane.block;
    if (!block.owns_shared(shared) || block.offset(shared) + bytes > block.shared_bytes) {
        stop("out of bounds", "gives %s %u bytes at %p, which are not all in shared memory", what, bytes, shared);
    }
    if (block.offset(shared) % alignment != 0) {
        stop("misaligned", "gives %s shared memory +0x%x, which is not aligned to %u bytes", what, block.offset(shared),
             alignment);
    }
}

void check_proxy(Lane& lane, const char* shared, uint32_t bytes, const char* what) {
    Block& block = *lane.block;
    if (!block.run->checked()) return;
    visit_shared(block, shared, bytes, [&](Cell& cell, const char* address) {
        if (cell.write_thread == Cell::nobody || (cell.write_thread & Cell::agent) != 0) return;
        const uint32_t warp = cell.write_thread / warp_size;
        if (block.proxy_fenced->knows_lane(warp, cell.write_thread % warp_size, cell.write_tick)) return;
        note(lane, "proxy", nullptr, "%s shared memory +0x%x, stored by thread %u without fence_proxy_async after it",
             what, block.offset(address), unsigned(cell.write_thread));
    });
}

void begin_async_read(Block& block, const char* shared, uint32_t bytes) {
    if (!block.run->checked()) return;
    visit_shared(block, shared, bytes, [](Cell& cell, const char*) {
        if (cell.async_readers != std::numeric_limits<uint8_t>::max()) ++cell.async_readers;
    });
}

void end_async_read(Block& block, const char* shared, uint32_t bytes) {
    if (!block.run->checked()) return;
    visit_shared(block, shared, bytes, [](Cell& cell, const char*) {
        if (cell.async_readers != 0) --cell.async_readers;
    });
}

}  // namespace lk::emulated
