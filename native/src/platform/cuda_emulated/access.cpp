#include "platform/cuda_emulated/access.h"

#include <cstdio>

#include "platform/cuda_emulated/device_memory.h"

namespace lk::emulated {
namespace {

// Readers that a cell of global memory remembers beside the first; weights are read by every block.
constexpr int most_further_readers = 3;

// "+0x40 of shared memory", "byte 64 of allocation 3".
std::string location(const Lane& lane, const void* address) {
    char text[96];
    if (lane.block->owns_shared(address)) {
        std::snprintf(text, sizeof text, "shared memory +0x%x", lane.block->offset(address));
        return text;
    }
    const Allocation* const allocation = find_allocation(address);
    if (allocation == nullptr) return "memory";
    std::snprintf(text, sizeof text, "byte %zu of allocation %llu",
                  size_t(static_cast<const char*>(address) - allocation->data),
                  static_cast<unsigned long long>(allocation->id));
    return text;
}

std::string thread_text(const Lane& lane, uint32_t block, uint32_t thread) {
    char text[64];
    if (block != lane.block->number) {
        std::snprintf(text, sizeof text, "block number %u", block);
    } else if (thread == Cell::nobody || (thread & Cell::agent) != 0) {
        std::snprintf(text, sizeof text, "a copy that an mbarrier has not been awaited for");
    } else {
        std::snprintf(text, sizeof text, "thread %u (warp %u lane %u)", thread, thread / warp_size, thread % warp_size);
    }
    return text;
}

std::string remedy(const Lane& lane, uint32_t block, uint32_t thread) {
    if (block != lane.block->number) return "without acquire and release between";
    if ((thread & Cell::agent) != 0) return "without a wait between";
    if (thread / warp_size == lane.warp->number) return "without warp_sync between";
    return "without a barrier between";
}

void report_write(const Lane& lane, const Cell& cell, const void* address, const char* what, const void* pc) {
    note(lane, "race", pc, "%s %s written by %s %s", what, location(lane, address).c_str(),
         thread_text(lane, cell.write_block, cell.write_thread).c_str(),
         remedy(lane, cell.write_block, cell.write_thread).c_str());
}

void report_read(const Lane& lane, const Reader& reader, const void* address, const void* pc) {
    uint32_t lanes = reader.lanes;
    if (reader.block == lane.block->number && reader.row == lane.warp->number) lanes &= ~lane.bit();
    const bool by_lanes = reader.row < max_warps && lanes != 0;
    const uint32_t thread =
        by_lanes ? reader.row * warp_size + uint32_t(__builtin_ctz(lanes)) : (reader.row - collective_row) * warp_size;
    note(lane, "race", pc, "writes %s read by %s %s", location(lane, address).c_str(),
         thread_text(lane, reader.block, thread).c_str(), remedy(lane, reader.block, thread).c_str());
}

bool same_agent(const Reader& a, const Reader& b) {
    return a.block == b.block && a.row == b.row && a.tick == b.tick;
}

void remember_read(Lane& lane, Cell& cell, CellPool& pool) {
    const Reader me{lane.block->number, lane.tick, lane.bit(), lane.warp->number};
    Reader& first = cell.reader;
    if (first.lanes == 0 || same_agent(first, me)) {
        first = {me.block, me.tick, first.lanes | me.lanes, me.row};
        return;
    }
    // A read that is known to this one tells nothing more: whoever must know this one knows that one.
    if (knows_reads(lane, first)) {
        first = me;
        return;
    }
    const bool bounded = (cell.flags & Cell::allocated) == 0;  // global memory
    int count = 0;
    for (uint32_t index = cell.more; index != 0; index = pool.node(index).next, ++count) {
        Reader& reader = pool.node(index).reader;
        if (same_agent(reader, me)) {
            reader.lanes |= me.lanes;
            return;
        }
        if (knows_reads(lane, reader)) {
            reader = me;
            return;
        }
    }
    if (bounded && count >= most_further_readers) return;
    cell.more = pool.make_node(me, cell.more);
}

void check_readers(Lane& lane, Cell& cell, CellPool& pool, const void* address, const void* pc) {
    if (cell.reader.lanes != 0 && !knows_reads(lane, cell.reader)) report_read(lane, cell.reader, address, pc);
    for (uint32_t index = cell.more; index != 0; index = pool.node(index).next) {
        const Reader& reader = pool.node(index).reader;
        if (!knows_reads(lane, reader)) report_read(lane, reader, address, pc);
    }
    pool.free_list(cell.more);
    cell.more = 0;
    cell.reader.lanes = 0;
}

}  // namespace

const Clock* foreign_clock(const Lane& lane, uint32_t block) {
    const ForeignClocks* const foreign = view(lane).foreign;
    if (foreign == nullptr) return nullptr;
    const auto found = foreign->find(block);
    return found == foreign->end() ? nullptr : found->second;
}

bool knows_write(const Lane& lane, const Cell& cell) {
    const bool own_block = cell.write_block == lane.block->number;
    if (own_block && cell.write_thread == lane.index) return true;
    const Clock* const clock = own_block ? &view(lane) : foreign_clock(lane, cell.write_block);
    if (clock == nullptr) return false;
    if ((cell.write_thread & Cell::agent) != 0) {
        return clock->knows(cell.write_thread & ~Cell::agent, cell.write_tick);
    }
    return clock->knows_lane(cell.write_thread / warp_size, cell.write_thread % warp_size, cell.write_tick);
}

bool knows_reads(const Lane& lane, const Reader& reader) {
    const bool own_block = reader.block == lane.block->number;
    const Clock* const clock = own_block ? &view(lane) : foreign_clock(lane, reader.block);
    if (reader.row >= max_warps) {
        if (own_block && reader.row == collective_row + lane.warp->number) return true;
        return clock != nullptr && clock->knows(reader.row, reader.tick);
    }
    const uint32_t others = own_block && reader.row == lane.warp->number ? reader.lanes & ~lane.bit() : reader.lanes;
    return others == 0 || (clock != nullptr && clock->knows_lanes(reader.row, others, reader.tick));
}

void check_cell(Lane& lane, Cell& cell, CellPool& pool, const void* address, AccessKind kind, const void* pc) {
    const bool reads = only_reads(kind);
    if ((cell.flags & Cell::in_flight) != 0) {
        note(lane, reads ? "in-flight read" : "in-flight write", pc, "%s %s, the destination of a copy under way",
             reads ? "reads" : "writes", location(lane, address).c_str());
        return;
    }
    const bool is_atomic = kind == AccessKind::atomic || kind == AccessKind::atomic_read;
    const bool both_atomic = is_atomic && (cell.flags & Cell::atomic) != 0;
    if (cell.write_thread != Cell::nobody && !both_atomic && !knows_write(lane, cell)) {
        report_write(lane, cell, address, reads ? "reads" : "writes", pc);
    }
    if (kind == AccessKind::atomic_read || kind == AccessKind::async_read) return;
    if (reads) return remember_read(lane, cell, pool);
    if (cell.async_readers != 0) {
        note(lane, "in-flight overwrite", pc, "writes %s, which wgmma or a bulk store has yet to read",
             location(lane, address).c_str());
    }
    if (cell.reader.lanes != 0 || cell.more != 0) check_readers(lane, cell, pool, address, pc);
    cell.write_block = lane.block->number;
    cell.write_thread = lane.index;
    cell.write_tick = lane.tick;
    cell.flags |= Cell::initialised;
    cell.flags = kind == AccessKind::atomic ? cell.flags | Cell::atomic : cell.flags & ~Cell::atomic;
}

void add_agent_reader(Cell& cell, CellPool& pool, const Reader& reader) {
    Reader* place = &cell.reader;
    for (uint32_t next = cell.more; place->lanes != 0 && place->row != reader.row; next = pool.node(next).next) {
        if (next == 0) {
            cell.more = pool.make_node(reader, cell.more);
            return;
        }
        place = &pool.node(next).reader;
    }
    *place = reader;
}

void split_cell(Cell& cell, CellPool& pool) {
    const uint32_t readers = cell.more;
    const uint32_t index = pool.make_bytes(cell);
    for (uint32_t i = readers; i != 0; i = pool.node(i).next) {
        for (int byte = 0; byte < 4; ++byte) {
            Cell& part = pool.bytes(index)[byte];
            const Reader reader = pool.node(i).reader;
            part.more = pool.make_node(reader, part.more);
        }
    }
    pool.free_list(readers);
    cell.flags |= Cell::split;
    cell.more = index;
}

}  // namespace lk::emulated
