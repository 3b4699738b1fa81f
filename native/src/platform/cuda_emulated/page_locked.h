// Page-locked host memory.
#pragma once

#include <cstddef>
#include <map>

namespace lk::emulated {

struct Context;

// Each block ends at a page that nobody may touch.
class PageLockedMemory {
  public:
    PageLockedMemory() = default;
    PageLockedMemory(const PageLockedMemory&) = delete;
    PageLockedMemory& operator=(const PageLockedMemory&) = delete;

    // Poisoned; NULL when the host has no memory left.
    void* allocate(size_t bytes, const Context& owner);
    // False: no block begins there.
    bool release(void* memory);
    void release_all(const Context& owner);

    size_t bytes_at(const void* memory) const;
    // Whether all of [memory, memory + bytes) lies in one block.
    bool holds(const void* memory, size_t bytes) const;
    // Whether any of it lies in one.
    bool touches(const void* memory, size_t bytes) const;

  private:
    struct BlockOfPages {
        size_t bytes;
        char* pages;
        size_t page_bytes;
        const Context* owner;
    };
    std::map<const char*, BlockOfPages> blocks_;  // by first byte
};

// Fills with NaN, read as fp32, fp16 or bf16.
void poison(void* memory, size_t bytes);

}  // namespace lk::emulated
