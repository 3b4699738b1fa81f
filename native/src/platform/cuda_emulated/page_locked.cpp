#include "platform/cuda_emulated/page_locked.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "core/memory.h"

namespace lk::emulated {

void* PageLockedMemory::allocate(size_t bytes, const Context& owner) {
    const auto page = size_t(sysconf(_SC_PAGESIZE));
    // CUDA aligns to 256 bytes at least; the end is as close to the guard page as that allows.
    const auto size = size_t(round_up(int64_t(bytes), 256));
    const auto used = size_t(round_up(int64_t(size), int64_t(page)));
    void* pages = mmap(nullptr, used + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return nullptr;
    char* const begin = static_cast<char*>(pages);
    mprotect(begin + used, page, PROT_NONE);
    char* const memory = begin + used - size;
    poison(memory, size);
    blocks_.emplace(memory, BlockOfPages{bytes, begin, used + page, &owner});
    return memory;
}

bool PageLockedMemory::release(void* memory) {
    const auto found = blocks_.find(static_cast<char*>(memory));
    if (found == blocks_.end()) return false;
    munmap(found->second.pages, found->second.page_bytes);
    blocks_.erase(found);
    return true;
}

void PageLockedMemory::release_all(const Context& owner) {
    std::erase_if(blocks_, [&](const auto& entry) {
        if (entry.second.owner != &owner) return false;
        munmap(entry.second.pages, entry.second.page_bytes);
        return true;
    });
}

size_t PageLockedMemory::bytes_at(const void* memory) const {
    const auto found = blocks_.find(static_cast<const char*>(memory));
    return found == blocks_.end() ? 0 : found->second.bytes;
}

bool PageLockedMemory::holds(const void* memory, size_t bytes) const {
    const char* const begin = static_cast<const char*>(memory);
    auto after = blocks_.upper_bound(begin);
    if (after == blocks_.begin()) return false;
    --after;
    return begin + bytes <= after->first + after->second.bytes;
}

bool PageLockedMemory::touches(const void* memory, size_t bytes) const {
    const char* const begin = static_cast<const char*>(memory);
    auto block = blocks_.lower_bound(begin + bytes);
    if (block == blocks_.begin()) return false;
    --block;
    return begin < block->first + block->second.bytes;
}

void poison(void* memory, size_t bytes) {
    std::memset(memory, 0xff, bytes);
}

}  // namespace lk::emulated
