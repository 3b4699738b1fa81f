// Accesses to shared memory.
#include "platform/cuda_emulated/access.h"

namespace lk::emulated {

void note_shared_access(Lane& lane, const void* address, uint32_t bytes, AccessKind kind, const void* pc) {
    Block& block = *lane.block;
    const uint32_t offset = block.offset(address);
    if (offset % bytes != 0 && bytes <= 16 && (bytes & (bytes - 1)) == 0) {
        note(lane, "misaligned", pc, "accesses %u bytes at shared memory +0x%x", bytes, offset);
    }
    if (offset + bytes > block.shared_bytes) {
        note(lane, "out of bounds", pc, "accesses shared memory +0x%x, behind all variables", offset);
        return;
    }
    visit_cells(block.shadow.data(), block.cells, block.shared, offset, bytes, [&](Cell& cell, const char* place) {
        if ((cell.flags & Cell::allocated) == 0) {
            note(lane, "out of bounds", pc, "accesses shared memory +0x%x, between variables", block.offset(place));
            return;
        }
        constexpr uint8_t readable = Cell::initialised | Cell::in_flight;
        if (kind != AccessKind::write && (cell.flags & readable) == 0) {
            note(lane, "uninitialised read", pc, "reads shared memory +0x%x before anything was written there",
                 block.offset(place));
        }
        check_cell(lane, cell, block.cells, place, kind, pc);
    });
}

void note_collective_read(Warp& warp, const void* address, uint32_t bytes) {
    Block& block = *warp.block;
    const Reader reader{block.number, warp.collective_tick, 1, collective_row + warp.number};
    visit_cells(block.shadow.data(), block.cells, block.shared, block.offset(address), bytes,
                [&](Cell& cell, const char*) { add_agent_reader(cell, block.cells, reader); });
}

}  // namespace lk::emulated
