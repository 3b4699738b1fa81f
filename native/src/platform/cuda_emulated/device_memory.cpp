#include "platform/cuda_emulated/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "platform/cuda_emulated/shadow.h"

namespace lk::emulated {
namespace {

constexpr size_t page_bytes = 4096;
constexpr size_t alignment = 256;

// Sorted by address.
std::vector<std::unique_ptr<Allocation>> allocations;
// Kernels touch the same allocation many times in a row.
Allocation* last_found = nullptr;
uint64_t next_id = 1;

size_t round_up(size_t value, size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

auto position_of(const void* address) {
    return std::upper_bound(allocations.begin(), allocations.end(), static_cast<const char*>(address),
                            [](const char* a, const std::unique_ptr<Allocation>& b) { return a < b->mapping; });
}

template <class Predicate>
void release_if(Predicate predicate) {
    last_found = nullptr;
    std::erase_if(allocations, [&](const std::unique_ptr<Allocation>& allocation) {
        if (!predicate(*allocation)) return false;
        munmap(allocation->mapping, allocation->mapping_bytes);
        return true;
    });
}

void set_bits(Allocation& allocation, size_t begin, size_t bytes, bool value) {
    for (size_t i = begin; i < begin + bytes;) {
        if (i % 64 == 0 && i + 64 <= begin + bytes) {
            allocation.initialised[i / 64] = value ? ~uint64_t(0) : 0;
            i += 64;
            continue;
        }
        const uint64_t bit = uint64_t(1) << i % 64;
        allocation.initialised[i / 64] =
            value ? allocation.initialised[i / 64] | bit : allocation.initialised[i / 64] & ~bit;
        ++i;
    }
}

bool bit(const Allocation& allocation, size_t index) {
    return allocation.initialised[index / 64] >> index % 64 & 1;
}

}  // namespace

Allocation::Allocation() = default;
Allocation::~Allocation() = default;

void* allocate_device_memory(size_t bytes, uint64_t owner) {
    auto allocation = std::make_unique<Allocation>();
    const size_t body = round_up(bytes, alignment);
    allocation->mapping_bytes = round_up(body, page_bytes) + 2 * page_bytes;
    void* const mapping =
        mmap(nullptr, allocation->mapping_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return nullptr;
    allocation->mapping = static_cast<char*>(mapping);
    char* const end = allocation->mapping + allocation->mapping_bytes - page_bytes;
    mprotect(allocation->mapping, page_bytes, PROT_NONE);
    mprotect(end, page_bytes, PROT_NONE);
    allocation->data = end - body;
    allocation->bytes = bytes;
    allocation->owner = owner;
    allocation->id = next_id++;
    std::memset(allocation->mapping + page_bytes, device_poison, allocation->mapping_bytes - 2 * page_bytes);
    allocation->initialised.resize((bytes + 63) / 64);
    allocation->pages.resize((bytes + ShadowPage::bytes - 1) / ShadowPage::bytes);
    void* const data = allocation->data;
    allocations.insert(position_of(data), std::move(allocation));
    return data;
}

void* reserve_addresses(size_t bytes, size_t wanted_alignment) {
    auto allocation = std::make_unique<Allocation>();
    const size_t step = std::max(wanted_alignment, page_bytes);
    allocation->mapping_bytes = bytes + 2 * step;
    void* const mapping =
        mmap(nullptr, allocation->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) return nullptr;
    allocation->mapping = static_cast<char*>(mapping);
    const size_t first = round_up(reinterpret_cast<uintptr_t>(mapping) + 1, step);  // what lies before is out of reach
    allocation->data = reinterpret_cast<char*>(first);
    allocation->reserved = true;
    allocation->bytes = bytes;
    allocation->id = next_id++;
    allocation->initialised.resize((bytes + 63) / 64);
    allocation->pages.resize((bytes + ShadowPage::bytes - 1) / ShadowPage::bytes);
    void* const data = allocation->data;
    allocations.insert(position_of(data), std::move(allocation));
    return data;
}

void forget_contents(Allocation& allocation, size_t begin, size_t bytes) {
    set_bits(allocation, begin, bytes, false);
    for (size_t page = begin / ShadowPage::bytes; page < (begin + bytes) / ShadowPage::bytes; ++page) {
        allocation.pages[page] = nullptr;
    }
}

bool Allocation::is_accessible(size_t begin, size_t count, int device) const {
    while (count > 0) {
        auto after = mappings.upper_bound(begin);
        if (after == mappings.begin()) return false;
        const auto& [first, mapping] = *--after;
        if (begin >= first + mapping.bytes || mapping.device != device) return false;
        const size_t here = std::min(count, first + mapping.bytes - begin);
        begin += here;
        count -= here;
    }
    return true;
}

void release_device_memory(void* memory) {
    release_if([&](const Allocation& allocation) { return allocation.data == memory; });
}

void release_device_memory_of(uint64_t owner) {
    release_if([&](const Allocation& allocation) { return allocation.owner == owner; });
}

Allocation* find_mapping(const void* address) {
    if (last_found != nullptr && last_found->maps(address)) return last_found;
    const auto after = position_of(address);
    if (after == allocations.begin()) return nullptr;
    Allocation* const candidate = std::prev(after)->get();
    if (!candidate->maps(address)) return nullptr;
    last_found = candidate;
    return candidate;
}

Allocation* find_allocation(const void* address) {
    Allocation* const allocation = find_mapping(address);
    return allocation != nullptr && allocation->holds(address) ? allocation : nullptr;
}

std::vector<const Allocation*> live_allocations() {
    std::vector<const Allocation*> result;
    for (const auto& allocation : allocations) result.push_back(allocation.get());
    std::sort(result.begin(), result.end(), [](const Allocation* a, const Allocation* b) { return a->id < b->id; });
    return result;
}

void note_written(void* memory, size_t bytes) {
    Allocation* const allocation = find_allocation(memory);
    if (allocation == nullptr) return;
    const auto begin = size_t(static_cast<char*>(memory) - allocation->data);
    set_bits(*allocation, begin, std::min(bytes, allocation->bytes - begin), true);
}

void note_copied(void* destination, const void* source, size_t bytes) {
    Allocation* const to = find_allocation(destination);
    const Allocation* const from = find_allocation(source);
    if (to == nullptr || from == nullptr || from->assumed_initialised) return note_written(destination, bytes);
    const auto to_begin = size_t(static_cast<char*>(destination) - to->data);
    const auto from_begin = size_t(static_cast<const char*>(source) - from->data);
    for (size_t i = 0; i < bytes;) {
        if (bytes - i >= 64 && (to_begin + i) % 64 == 0 && (from_begin + i) % 64 == 0) {
            to->initialised[(to_begin + i) / 64] = from->initialised[(from_begin + i) / 64];
            i += 64;
        } else {
            set_bits(*to, to_begin + i, 1, bit(*from, from_begin + i));
            ++i;
        }
    }
}

bool is_initialised(const void* memory, size_t bytes) {
    const Allocation* const allocation = find_allocation(memory);
    if (allocation == nullptr) return false;
    const auto begin = size_t(static_cast<const char*>(memory) - allocation->data);
    if (begin + bytes > allocation->bytes) return false;
    if (allocation->assumed_initialised) return true;
    for (size_t i = begin; i < begin + bytes; ++i) {
        if (!bit(*allocation, i)) return false;
    }
    return true;
}

void assume_initialised() {
    for (const auto& allocation : allocations) allocation->assumed_initialised = true;
}

}  // namespace lk::emulated
