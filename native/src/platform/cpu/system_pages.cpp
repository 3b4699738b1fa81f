#include "platform/cpu/system_pages.h"

#include <sys/mman.h>

#include "core/memory.h"

namespace lk::cpu {
namespace {

constexpr int64_t kHugePage = int64_t{2} << 20;

void* map(int64_t bytes) {
    void* const memory = mmap(nullptr, size_t(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

// What lies before the first huge page, and behind the block, is given back at once.
void* map_from_huge_page(int64_t bytes) {
    char* const memory = static_cast<char*>(map(bytes + kHugePage));
    if (memory == nullptr) return nullptr;
    const int64_t before = round_up(int64_t(reinterpret_cast<uintptr_t>(memory)), kHugePage) -
                           int64_t(reinterpret_cast<uintptr_t>(memory));
    char* const begin = memory + before;
    if (before > 0) munmap(memory, size_t(before));
    if (before < kHugePage) munmap(begin + bytes, size_t(kHugePage - before));
    // Advice: where the system has no huge pages to give, all is as before.
    (void)madvise(begin, size_t(bytes / kHugePage * kHugePage), MADV_HUGEPAGE);
    return begin;
}

}  // namespace

lk_allocator system_pages() {
    return {
        nullptr,
        [](void*, int64_t bytes, int64_t) -> void* {
            const int64_t pages = round_up(bytes, kSystemPage);
            return pages < kHugePage ? map(pages) : map_from_huge_page(pages);
        },
        [](void*, void* memory, int64_t bytes) { munmap(memory, size_t(round_up(bytes, kSystemPage))); },
    };
}

}  // namespace lk::cpu
