#include "core/context.h"

#include "core/error.h"

namespace lk {

ContextLock::ContextLock(lk_context* context) : context_(context) {
    if (context == nullptr) fail(LK_INVALID_ARGUMENT, "context: NULL; a context from lk_context_create is needed");
    if (context->busy.exchange(true, std::memory_order_acquire)) {
        fail(LK_BUSY, "context: in use by another thread; a context is for one thread at a time, make one for each");
    }
}

}  // namespace lk
