#include "core/memory.h"

#include <algorithm>
#include <cstdlib>

#include "core/error.h"

namespace lk {

lk_allocator default_allocator() {
    return {
        nullptr,
        [](void*, int64_t bytes, int64_t alignment) -> void* {
            // Not aligned_alloc: that wants sizes rounded up, behind which a sanitizer would miss an overrun.
            void* memory = nullptr;
            return posix_memalign(&memory, size_t(alignment), size_t(bytes)) == 0 ? memory : nullptr;
        },
        [](void*, void* memory, int64_t) { std::free(memory); },
    };
}

Block::Block(const lk_allocator& allocator, int64_t bytes, int64_t alignment, const char* purpose)
    : allocator_(allocator), bytes_(std::max<int64_t>(bytes, 1)) {  // an empty block has an address of its own
    data_ = allocator.allocate(allocator.user, bytes_, alignment);
    if (data_ == nullptr) {
        fail(LK_OUT_OF_MEMORY, "out of memory: %lld bytes for %s", static_cast<long long>(bytes_), purpose);
    }
}

Block::~Block() {
    if (data_ != nullptr) allocator_.release(allocator_.user, data_, bytes_);
}

}  // namespace lk
