#include "core/workspace.h"

#include "core/error.h"

namespace lk {

void Workspace::borrow(void* data, int64_t bytes) {
    if (fixed_) {
        fail(LK_BUSY, "workspace: cannot be replaced while the context records; set it before lk_capture_begin");
    }
    borrowed_ = data;
    borrowed_bytes_ = bytes;
    own_ = nullptr;
}

char* Workspace::reserve(int64_t bytes) {
    if (bytes == 0) return nullptr;
    if (borrowed_ != nullptr) {
        if (bytes > borrowed_bytes_) {
            fail(LK_CAPACITY_EXCEEDED, "workspace: has %lld bytes, this operation needs %lld (see lk_workspace_bytes)",
                 static_cast<long long>(borrowed_bytes_), static_cast<long long>(bytes));
        }
        return static_cast<char*>(borrowed_);
    }
    if (own_ == nullptr || bytes > own_->bytes()) {
        if (fixed_) {
            fail(LK_CAPACITY_EXCEEDED,
                 "workspace: has %lld bytes, this operation needs %lld, and nothing can be allocated while the context "
                 "records; set one of that size first (lk_context_set_workspace)",
                 own_ == nullptr ? 0LL : static_cast<long long>(own_->bytes()), static_cast<long long>(bytes));
        }
        own_ = nullptr;  // freed first: the old contents are not needed, and both at once might not fit
        own_ = std::make_shared<const Block>(allocator_, bytes, kAlignment, "a context's workspace");
    }
    return static_cast<char*>(own_->data());
}

}  // namespace lk
