#include "support/allocations.h"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

thread_local bool counting = false;
thread_local int64_t counted = 0;

void* allocate(std::size_t bytes, std::size_t alignment) {
    if (counting) ++counted;
    void* memory = nullptr;
    if (posix_memalign(&memory, alignment, bytes == 0 ? 1 : bytes) != 0) throw std::bad_alloc();
    return memory;
}

}  // namespace

// Those of the standard library, for the whole program; the other forms call these.
void* operator new(std::size_t bytes) {
    return allocate(bytes, alignof(std::max_align_t));
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return allocate(bytes, std::size_t(alignment));
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

namespace lk::test {

CountAllocations::CountAllocations() {
    counted = 0;
    counting = true;
}

CountAllocations::~CountAllocations() {
    counting = false;
}

int64_t CountAllocations::count() const {
    return counted;
}

}  // namespace lk::test
