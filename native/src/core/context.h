// A context: one stream of one device, with its workspace and allocator.
#pragma once

#include <atomic>
#include <memory>

#include "core/backend.h"
#include "core/handle.h"
#include "core/workspace.h"

struct lk_context : lk::Handle {
    explicit lk_context(std::unique_ptr<lk::Backend> backend_of_device)
        : backend(std::move(backend_of_device)), allocator(backend->allocator()), workspace(allocator) {}

    std::unique_ptr<lk::Backend> backend;
    lk_allocator allocator;
    lk::Workspace workspace;
    std::atomic<bool> busy{false};
};

struct lk_buffer : lk::Handle {
    explicit lk_buffer(lk::Block block) : memory(std::move(block)) {}
    lk::Block memory;
};

struct lk_graph : lk::Handle {
    lk_graph(std::unique_ptr<lk::Recording> operations, std::shared_ptr<const lk::Block> workspace_of_context,
             const lk::DeviceId& of_device)
        : workspace(std::move(workspace_of_context)), recording(std::move(operations)), device(of_device) {}

    // Freed after the recording, which uses it: the context may replace its own workspace at any time.
    std::shared_ptr<const lk::Block> workspace;
    std::unique_ptr<lk::Recording> recording;
    lk::DeviceId device;
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
