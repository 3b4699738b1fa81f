// Memory through the host's allocator hook.
#pragma once

#include <cstdint>
#include <utility>

#include "lorakernels.h"

namespace lk {

// The hook, or the library's own allocation where it is zeroed.
lk_allocator default_allocator();

// An owned block. Allocation failure throws LK_OUT_OF_MEMORY.
class Block {
  public:
    Block() = default;
    Block(const lk_allocator& allocator, int64_t bytes, int64_t alignment, const char* purpose);
    Block(Block&& other) noexcept { swap(other); }
    Block& operator=(Block&& other) noexcept {
        swap(other);
        return *this;
    }
    ~Block();

    void* data() const { return data_; }
    int64_t bytes() const { return bytes_; }

  private:
    void swap(Block& other) noexcept {
        std::swap(allocator_, other.allocator_);
        std::swap(data_, other.data_);
        std::swap(bytes_, other.bytes_);
    }

    lk_allocator allocator_{};
    void* data_ = nullptr;
    int64_t bytes_ = 0;
};

constexpr int64_t round_up(int64_t value, int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}
constexpr int64_t divide_up(int64_t value, int64_t by) {
    return (value + by - 1) / by;
}

}  // namespace lk
