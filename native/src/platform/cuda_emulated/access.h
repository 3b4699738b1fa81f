// The checks of one access against what the cells remember.
#pragma once

#include "platform/cuda_emulated/findings.h"
#include "platform/cuda_emulated/state.h"

namespace lk::emulated {

// What the lane knows: its own clock, or its warp's.
inline const Clock& view(const Lane& lane) {
    return lane.own != nullptr ? *lane.own : *lane.warp->base;
}

// Whether the lane knows that a write happened before, or made it itself.
bool knows_write(const Lane& lane, const Cell& cell);
// Whether it knows all of the reads, its own aside.
bool knows_reads(const Lane& lane, const Reader& reader);

// An access through the pointer, of a lane in the order of its program.
void check_cell(Lane& lane, Cell& cell, CellPool& pool, const void* address, AccessKind kind, const void* pc);

// Adds a reader that is no lane: a later read of the same row takes the place of an earlier one.
void add_agent_reader(Cell& cell, CellPool& pool, const Reader& reader);

// Calls visit(cell, address) for each word, or each byte of words that are accessed in part.
template <class Visit>
inline void visit_cells(Cell* cells, CellPool& pool, const char* base, size_t begin, size_t bytes, Visit visit);

// Splits a word's cell so that each byte is told apart.
void split_cell(Cell& cell, CellPool& pool);

template <class Visit>
inline void visit_cells(Cell* cells, CellPool& pool, const char* base, size_t begin, size_t bytes, Visit visit) {
    const size_t end = begin + bytes;
    for (size_t word = begin / 4; word * 4 < end; ++word) {
        Cell& cell = cells[word];
        const bool whole = begin <= word * 4 && end >= word * 4 + 4;
        if (whole && (cell.flags & Cell::split) == 0) {
            visit(cell, base + word * 4);
            continue;
        }
        if ((cell.flags & Cell::split) == 0) split_cell(cell, pool);
        for (size_t byte = 0; byte < 4; ++byte) {
            const size_t position = word * 4 + byte;
            if (position >= begin && position < end) visit(pool.bytes(cell.more)[byte], base + position);
        }
    }
}

}  // namespace lk::emulated
