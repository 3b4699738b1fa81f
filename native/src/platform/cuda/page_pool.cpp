#include "platform/cuda/page_pool.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "platform/cuda/capture_mode.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

// Mapped memory is the device's, not a context's, but drivers differ in what they want to be current.
void make_current_if_alive(std::optional<CurrentContext>& current, const Device& device) {
    try {
        current.emplace(device);
    } catch (const Error&) {  // its pages go all the same
    }
}

// What `done` says in the device's context; true in one that is lost or gone, where nothing runs any more. False where
// it cannot be said.
template <class Done>
bool is_done(const Device& device, Done done) {
    std::optional<CurrentContext> current;
    make_current_if_alive(current, device);
    if (!current.has_value()) return true;
    try {
        return done();
    } catch (const Error& error) {
        return error.status() == LK_DEVICE_LOST;
    }
}

}  // namespace

// Never destroyed: when the process ends, the driver may be gone before.
PagePool& PagePool::of(Device& device) {
    static std::mutex mutex;
    static auto& pools = *new std::map<Device*, std::unique_ptr<PagePool>>;
    const std::lock_guard lock(mutex);
    std::unique_ptr<PagePool>& pool = pools[&device];
    if (pool == nullptr) pool.reset(new PagePool(device));
    return *pool;
}

void PagePool::join() {
    const std::lock_guard lock(pages_mutex_);
    if (users_ == 0 && reserved_pages_ == 0) {
        page_bytes_ = mapped_page_bytes(device_.index());
        slabs_ = PageSlabs(page_bytes_);
    }
    ++users_;
}

void PagePool::leave() noexcept {
    {
        const std::lock_guard lock(pages_mutex_);
        if (--users_ > 0) return;
    }
    device_.release_gate().pass([this] { drain(); });
}

void PagePool::release(std::unique_ptr<Block> block) {
    const std::lock_guard lock(mutex_);
    released_.push_back(std::move(block));
}

// Through the gate: no capture of the library's begins meanwhile.
void PagePool::retire() noexcept {
    device_.release_gate().pass([this] { mark(); });
}

void PagePool::mark() {
    Retired retired;
    {
        const std::lock_guard lock(mutex_);
        if (released_.empty()) return;
        retired.blocks.swap(released_);
    }
    const bool known = record_marks(retired.marks);
    const std::lock_guard lock(mutex_);
    if (known) {
        retired_.push_back(std::move(retired));
    } else {
        std::move(retired.blocks.begin(), retired.blocks.end(), std::back_inserter(released_));
    }
}

Event PagePool::spare_event() {
    {
        const std::lock_guard lock(mutex_);
        if (!spare_events_.empty()) {
            Event event = std::move(spare_events_.back());
            spare_events_.pop_back();
            return event;
        }
    }
    return Event(device_);
}

// False where it cannot be said now when the streams are done: a host captures one of them.
bool PagePool::record_marks(std::vector<Event>& marks) {
    return is_done(device_, [&] {
        return device_.streams().visit([&](cudaStream_t stream) {
            marks.push_back(spare_event());
            check(cudaEventRecord(marks.back().handle(), stream), "cudaEventRecord");
        });
    });
}

// The oldest retired blocks become free pages, once they are done with. False: there are none, or they are still used.
bool PagePool::collect(bool wait) {
    Retired* oldest = nullptr;
    {
        const std::lock_guard lock(mutex_);
        if (retired_.empty()) return false;
        oldest = &retired_.front();
    }
    const auto passed = [wait](const Event& mark) {
        if (!wait) return mark.reached();
        mark.synchronize();
        return true;
    };
    const AllowedDuringCapture allowed;
    if (!is_done(device_, [&] { return std::all_of(oldest->marks.begin(), oldest->marks.end(), passed); }))
        return false;
    for (const auto& block : oldest->blocks) recycle(*block);
    const std::lock_guard lock(mutex_);
    std::move(oldest->marks.begin(), oldest->marks.end(), std::back_inserter(spare_events_));
    retired_.pop_front();
    return true;
}

void PagePool::recycle(Block& block) {
    const auto free = [this](MappedPages& mapped) {
        std::vector<PhysicalPage> pages = mapped.unmap();
        std::move(pages.begin(), pages.end(), std::back_inserter(free_));
    };
    free(block.pages);
    for (const PageSlabs::Piece& piece : block.pieces) {
        if (!slabs_.release(piece)) continue;
        const auto page = slab_pages_.find(piece.page);
        if (page == slab_pages_.end()) continue;  // it never got that far
        free(page->second);
        slab_pages_.erase(page);
    }
    block.pieces.clear();
}

// Whether as many pages are free now.
bool PagePool::provide(size_t pages) {
    size_t made = 0;
    while (free_.size() < pages) {
        if (collect(true)) continue;
        PhysicalPage page = PhysicalPage::make(device_.index(), page_bytes_);
        if (!page) {
            drop_free_pages(free_.size() - made);
            return false;
        }
        free_.push_back(std::move(page));
        ++reserved_pages_;
        ++made;
    }
    return true;
}

void PagePool::drop_free_pages(size_t keep) {
    reserved_pages_ -= int64_t(free_.size() - keep);
    free_.erase(free_.begin() + ptrdiff_t(keep), free_.end());
}

std::vector<PhysicalPage> PagePool::take(int64_t pages) {
    std::vector<PhysicalPage> taken;
    for (; pages > 0; --pages) {
        taken.push_back(std::move(free_.back()));
        free_.pop_back();
    }
    return taken;
}

void PagePool::map(const Request& request, Block& block) {
    const auto mapped = [this](int64_t pages) {
        reserved_pages_ -= pages;  // gone if it throws
        MappedPages result(device_.index(), page_bytes_, take(pages));
        reserved_pages_ += pages;
        return result;
    };
    for (const PageSlabs::Piece& piece : block.pieces) {
        auto page = slab_pages_.find(piece.page);
        if (page == slab_pages_.end()) page = slab_pages_.emplace(piece.page, mapped(1)).first;
        block.pieces_at.push_back(page->second.data() + piece.offset);
    }
    block.pages = mapped(request.pages);
}

std::unique_ptr<PagePool::Block> PagePool::allocate(const Request& request) {
    const CurrentContext current(device_);
    retire();
    const std::lock_guard lock(pages_mutex_);
    while (collect(false)) {
    }
    auto block = std::make_unique<Block>();
    const int64_t slab_pages = slabs_.pages();
    for (const int64_t bytes : request.pieces) block->pieces.push_back(slabs_.place(bytes));
    try {
        if (!provide(size_t(request.pages + slabs_.pages() - slab_pages))) {
            recycle(*block);
            return nullptr;
        }
        map(request, *block);
    } catch (...) {
        recycle(*block);
        throw;
    }
    return block;
}

void PagePool::trim() {
    std::optional<CurrentContext> current;
    make_current_if_alive(current, device_);
    retire();
    const std::lock_guard lock(pages_mutex_);
    while (collect(false)) {
    }
    drop_free_pages(0);
}

// After the last user: what the streams still use is waited for.
void PagePool::drain() {
    std::optional<CurrentContext> current;
    make_current_if_alive(current, device_);
    mark();
    const std::lock_guard lock(pages_mutex_);
    if (users_ > 0) return;
    while (collect(true)) {
    }
    drop_free_pages(0);
}

}  // namespace lk::cuda
