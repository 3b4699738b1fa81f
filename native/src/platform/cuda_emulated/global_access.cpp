// Accesses to global memory.
#include <link.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "platform/cuda_emulated/access.h"
#include "platform/cuda_emulated/device_memory.h"

namespace lk::emulated {
namespace {

// The further readers and split cells of global memory, for one launch.
CellPool global_cells;
uint64_t cells_launch = 0;

// Whether the address lies in a loaded program or library: tables of constants, as a GPU has them in its own image.
bool is_constant(const void* address) {
    struct Search {
        uintptr_t address;
        bool found;
    } search{reinterpret_cast<uintptr_t>(address), false};
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* data) {
            auto& wanted = *static_cast<Search*>(data);
            for (int i = 0; i < info->dlpi_phnum; ++i) {
                const auto& header = info->dlpi_phdr[i];
                const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
                if (header.p_type == PT_LOAD && wanted.address - begin < header.p_memsz) wanted.found = true;
            }
            return wanted.found ? 1 : 0;
        },
        &search);
    return search.found;
}

void note_outside(Lane& lane, const void* address, uint32_t bytes, AccessKind kind, const void* pc) {
    const char* const verb = only_reads(kind) ? "reads" : "writes";
    const Allocation* const near = find_mapping(address);
    if (near != nullptr) {
        const ptrdiff_t distance = static_cast<const char*>(address) - near->data;
        note(lane, "out of bounds", pc, "%s %u bytes at byte %td of allocation %llu, which has %zu bytes", verb, bytes,
             distance, static_cast<unsigned long long>(near->id), near->bytes);
    } else if (!only_reads(kind) || !is_constant(address)) {
        note(lane, "out of bounds", pc, "%s %u bytes at %p, which is neither shared nor global memory", verb, bytes,
             address);
    }
}

void remember_previous(ShadowPage& page) {
    std::memcpy(page.previously_written, page.written, sizeof page.previously_written);
    std::memset(page.previously_read, 0, sizeof page.previously_read);
    for (size_t word = 0; word < ShadowPage::words; ++word) {
        const Cell& cell = page.cells[word];
        const uint64_t bit = uint64_t(1) << word % 64;
        const bool split = (cell.flags & Cell::split) != 0;
        if (split || cell.reader.lanes != 0) page.previously_read[word / 64] |= bit;
    }
}

// The page's cells, empty if this launch has not touched them yet.
ShadowPage& page_of(Run& run, Allocation& allocation, size_t index) {
    auto& page = allocation.pages[index];
    if (page == nullptr) page = std::make_unique<ShadowPage>();
    if (page->launch == run.id) return *page;
    if (run.launch->programmatic && page->launch + 1 == run.id) {
        remember_previous(*page);
    } else {
        std::memset(page->previously_written, 0, sizeof page->previously_written);
        std::memset(page->previously_read, 0, sizeof page->previously_read);
    }
    page->launch = run.id;
    std::memset(page->written, 0, sizeof page->written);
    for (Cell& cell : page->cells) {
        cell = {};
        cell.write_thread = Cell::nobody;
    }
    return *page;
}

bool bit(const uint64_t* bits, size_t index) {
    return bits[index / 64] >> index % 64 & 1;
}

void check_previous_grid(Lane& lane, const ShadowPage& page, size_t begin, size_t bytes, AccessKind kind,
                         const void* pc) {
    if (view(lane).knows(previous_grid_row, 1)) return;
    for (size_t word = begin / 4; word <= (begin + bytes - 1) / 4; ++word) {
        if (bit(page.previously_written, word)) {
            note(lane, "programmatic launch", pc,
                 "touches what the launch before has written, without grid_dependency_wait");
        } else if (!only_reads(kind) && bit(page.previously_read, word)) {
            note(lane, "programmatic launch", pc,
                 "overwrites what the launch before reads, without grid_dependency_wait");
        }
    }
}

void check_initialised(Lane& lane, Allocation& allocation, size_t begin, uint32_t bytes, AccessKind kind,
                       const void* pc) {
    if (allocation.assumed_initialised) return;
    for (size_t at = begin; at < begin + bytes;) {
        uint64_t& word = allocation.initialised[at / 64];
        const size_t count = std::min(begin + bytes - at, 64 - at % 64);
        const uint64_t mask = (count == 64 ? ~uint64_t(0) : (uint64_t(1) << count) - 1) << at % 64;
        if (kind != AccessKind::write && (word & mask) != mask) {
            note(lane, "uninitialised read", pc, "reads byte %zu of allocation %llu before anything was written there",
                 at / 64 * 64 + size_t(std::countr_one(word | ~mask)), static_cast<unsigned long long>(allocation.id));
            return;
        }
        if (!only_reads(kind)) word |= mask;
        at += count;
    }
}

}  // namespace

void note_global_access(Lane& lane, const void* address, uint32_t bytes, AccessKind kind, const void* pc) {
    Run& run = *lane.block->run;
    Allocation* const allocation = find_allocation(address);
    if (allocation == nullptr) return note_outside(lane, address, bytes, kind, pc);
    const auto begin = size_t(static_cast<const char*>(address) - allocation->data);
    if (begin + bytes > allocation->bytes) return note_outside(lane, address, bytes, kind, pc);
    if (allocation->reserved) {
        if (!allocation->is_accessible(begin, bytes, run.launch->device)) {
            note(lane, "unmapped", pc, "%s %u bytes at byte %zu of addresses %llu, where nothing is mapped and enabled",
                 only_reads(kind) ? "reads" : "writes", bytes, begin, static_cast<unsigned long long>(allocation->id));
            return;
        }
    } else if (allocation->owner != run.launch->owner) {
        note(lane, "foreign memory", pc, "accesses allocation %llu, which belongs to another context",
             static_cast<unsigned long long>(allocation->id));
    }
    if (begin % bytes != 0 && bytes <= 16 && (bytes & (bytes - 1)) == 0) {
        note(lane, "misaligned", pc, "accesses %u bytes at byte %zu of allocation %llu", bytes, begin,
             static_cast<unsigned long long>(allocation->id));
    }
    if (kind != AccessKind::write) {
        run.report->counters.global_bytes_read += bytes;
        allocation->bytes_read += bytes;
    }
    if (!only_reads(kind)) {
        run.report->counters.global_bytes_written += bytes;
        allocation->bytes_written += bytes;
    }
    if (run.options->observer != nullptr) run.options->observer->see(*allocation, begin, bytes);
    if (!run.checked()) return;
    if (cells_launch != run.id) {
        cells_launch = run.id;
        global_cells.clear();
    }
    check_initialised(lane, *allocation, begin, bytes, kind, pc);
    for (size_t at = begin; at < begin + bytes;) {
        const size_t index = at / ShadowPage::bytes;
        const size_t in_page = at % ShadowPage::bytes;
        const size_t length = std::min(begin + bytes - at, ShadowPage::bytes - in_page);
        ShadowPage& page = page_of(run, *allocation, index);
        if (run.launch->programmatic) check_previous_grid(lane, page, in_page, length, kind, pc);
        if (!only_reads(kind)) {
            for (size_t word = in_page / 4; word <= (in_page + length - 1) / 4; ++word) {
                page.written[word / 64] |= uint64_t(1) << word % 64;
            }
        }
        visit_cells(page.cells, global_cells, allocation->data + index * ShadowPage::bytes, in_page, length,
                    [&](Cell& cell, const char* place) { check_cell(lane, cell, global_cells, place, kind, pc); });
        at += length;
    }
}

void note_access(Lane& lane, const void* address, uint32_t bytes, AccessKind kind, const void* pc) {
    if (lane.block->owns_window(address)) {
        if (lane.block->run->checked()) note_shared_access(lane, address, bytes, kind, pc);
    } else {
        note_global_access(lane, address, bytes, kind, pc);
    }
}

}  // namespace lk::emulated
