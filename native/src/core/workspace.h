// Scratch memory of a context's operations: borrowed from the host, or its own and growing.
#pragma once

#include <memory>

#include "core/memory.h"

namespace lk {

class Workspace {
  public:
    static constexpr int64_t kAlignment = 256;

    explicit Workspace(const lk_allocator& allocator) : allocator_(allocator) {}

    // NULL: back to the context's own.
    void borrow(void* data, int64_t bytes);

    // Memory for one operation, NULL if it needs none; what an earlier call returned is invalid. Throws
    // LK_CAPACITY_EXCEEDED when a borrowed workspace is too small.
    char* reserve(int64_t bytes);

    // While fixed, it throws LK_CAPACITY_EXCEEDED instead of allocating: what is being recorded must not allocate.
    void set_fixed(bool fixed) { fixed_ = fixed; }

    // Its own memory of now, if it has some: who keeps it can use its addresses after it was replaced by a larger one.
    std::shared_ptr<const Block> own() const { return own_; }

  private:
    lk_allocator allocator_;
    std::shared_ptr<const Block> own_;
    void* borrowed_ = nullptr;
    int64_t borrowed_bytes_ = 0;
    bool fixed_ = false;
};

// Hands out consecutive pieces of a workspace. With a null base it only adds sizes up, so that one function lays an
// operation's scratch out, first to learn its size and then to place it.
class Carver {
  public:
    explicit Carver(char* base) : base_(base) {}

    template <class T>
    T* take(int64_t count) {
        T* piece = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + used_);
        used_ += round_up(count * int64_t(sizeof(T)), 64);
        return piece;
    }
    int64_t used() const { return used_; }

  private:
    char* base_;
    int64_t used_ = 0;
};

}  // namespace lk
