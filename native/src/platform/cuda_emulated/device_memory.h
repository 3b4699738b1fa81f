// Global memory of the emulated devices. Each allocation lies between pages that nobody may touch and ends at the
// second one, starts as 0x7f bytes (NaN as fp16, about 3e38 as bf16 and fp32), and remembers what was written and who
// touched it. So do addresses that are reserved, of which only what is mapped and enabled may be touched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace lk::emulated {

struct ShadowPage;

inline constexpr int device_poison = 0x7f;

// What reserved addresses are mapped to. Access of a device is enabled for each mapping.
struct Mapping {
    size_t bytes = 0;
    unsigned long long physical = 0;
    int device = -1;  // that has access; -1: none
};

struct Allocation {
    char* data = nullptr;
    size_t bytes = 0;
    uint64_t owner = 0;  // the context
    uint64_t id = 0;     // counts from 1
    uint64_t bytes_read = 0;
    uint64_t bytes_written = 0;

    char* mapping = nullptr;
    size_t mapping_bytes = 0;
    std::vector<uint64_t> initialised;  // a bit a byte
    bool assumed_initialised = false;   // all of it
    std::vector<std::unique_ptr<ShadowPage>> pages;
    bool reserved = false;               // addresses that memory is mapped to
    std::map<size_t, Mapping> mappings;  // there, by their first byte

    Allocation();
    ~Allocation();
    Allocation(const Allocation&) = delete;
    Allocation& operator=(const Allocation&) = delete;

    bool holds(const void* address) const { return size_t(static_cast<const char*>(address) - data) < bytes; }
    // Of reserved addresses: whether all of these bytes are mapped, and a device has access.
    bool is_accessible(size_t begin, size_t bytes, int device) const;
    bool maps(const void* address) const { return size_t(static_cast<const char*>(address) - mapping) < mapping_bytes; }
};

// Aligned to 256 bytes. Null if there is no more address space or memory.
void* allocate_device_memory(size_t bytes, uint64_t owner);
// `memory` is what allocate_device_memory returned.
void release_device_memory(void* memory);
void release_device_memory_of(uint64_t owner);

// Addresses of no memory, to which some can be mapped: their first, a multiple of the alignment. Null if there are
// none.
void* reserve_addresses(size_t bytes, size_t alignment);
// New contents: nothing of them is initialised, and nobody has touched them.
void forget_contents(Allocation& allocation, size_t begin, size_t bytes);

// The allocation with this byte, or with a guard page or gap around it; null if it is no device memory.
Allocation* find_allocation(const void* address);
Allocation* find_mapping(const void* address);

// Every allocation that lives, oldest first.
std::vector<const Allocation*> live_allocations();

// Copies and fills by the host or the copy engine: what is written is initialised, what is copied is as its source.
void note_written(void* memory, size_t bytes);
void note_copied(void* destination, const void* source, size_t bytes);
bool is_initialised(const void* memory, size_t bytes);

// Global memory written by kernels that ran unchecked: from then on it counts as initialised.
void assume_initialised();

}  // namespace lk::emulated
