// A context: one stream of one device, with its workspace and allocator.
#pragma once

#include <atomic>
#include <memory>

#include "core/backend.h"
#include "core/handle.h"
#include "core/workspace.h"

struct lk_context : lk::Handle {
    lk_context(std::unique_ptr<lk::Backend> backend_of_device, const lk_allocator& memory)
        : backend(std::move(backend_of_device)), allocator(memory), workspace(memory) {}

    std::unique_ptr<lk::Backend> backend;
    lk_allocator allocator;
    lk::Workspace workspace;
    std::atomic<bool> busy{false};
};

struct lk_buffer : lk::Handle {
    explicit lk_buffer(lk::Block block) : memory(std::move(block)) {}
    lk::Block memory;
};

namespace lk {

// Holds a context for the length of a call; LK_BUSY when another call is inside it.
class ContextLock {
  public:
    explicit ContextLock(lk_context* context);
    ~ContextLock() { context_->busy.store(false, std::memory_order_release); }
    ContextLock(const ContextLock&) = delete;
    ContextLock& operator=(const ContextLock&) = delete;

    lk_context* operator->() const { return context_; }
    lk_context& operator*() const { return *context_; }

  private:
    lk_context* context_;
};

}  // namespace lk
