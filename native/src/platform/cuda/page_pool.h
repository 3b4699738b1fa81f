// Device memory in pages, for blocks that come and go while the device works. Whatever came and went before, a free
// page serves any block. What vAttention (Prabhu et al., arXiv 2405.04437) does for caches.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "platform/cuda/mapped_memory.h"
#include "platform/cuda/page_slabs.h"
#include "platform/cuda/stream.h"

namespace lk::cuda {

// Pages of blocks that were released serve others when everything is done that the device's streams held then. So
// releasing waits for nothing; allocating waits for that where it would have to take more from the device otherwise:
// the pool never has more pages than were in use at one time.
class PagePool {
  public:
    // The device's, which lives until the process ends. The device must be one that maps memory.
    static PagePool& of(Device& device);

    PagePool(const PagePool&) = delete;
    PagePool& operator=(const PagePool&) = delete;

    // Whole pages at consecutive addresses, and pieces of at most a page, each somewhere.
    struct Request {
        int64_t pages = 0;
        std::vector<int64_t> pieces;  // bytes
    };
    struct Block {
        MappedPages pages;
        std::vector<PageSlabs::Piece> pieces;
        std::vector<char*> pieces_at;
    };

    // Users come and go; with the last one all pages go back to the device. Counts one in, or out.
    void join();
    void leave() noexcept;

    // The same from the first user on to the last.
    int64_t page_bytes() const { return page_bytes_; }
    // NULL where the device has no memory left; then nothing more of it is taken than before.
    std::unique_ptr<Block> allocate(const Request& request);
    void release(std::unique_ptr<Block> block);
    // What was released until now: from now on it is known when it is done with.
    void retire() noexcept;
    // Gives pages back to the device that are free now.
    void trim();
    // What the device has given.
    int64_t reserved_bytes() const { return reserved_pages_.load(std::memory_order_relaxed) * page_bytes_; }

  private:
    // Blocks with an event on every stream that may use them.
    struct Retired {
        std::vector<Event> marks;
        std::vector<std::unique_ptr<Block>> blocks;
    };

    explicit PagePool(Device& device) : device_(device) {}

    Event spare_event();
    void mark();
    bool record_marks(std::vector<Event>& marks);
    void drain();
    bool collect(bool wait);
    void recycle(Block& block);
    bool provide(size_t pages);
    void drop_free_pages(size_t keep);
    std::vector<PhysicalPage> take(int64_t pages);
    void map(const Request& request, Block& block);

    Device& device_;
    int64_t page_bytes_ = 0;
    std::atomic<int64_t> reserved_pages_{0};

    // Blocks under way from release to reuse. Never held while something waits.
    std::mutex mutex_;
    std::vector<std::unique_ptr<Block>> released_;
    std::deque<Retired> retired_;
    std::vector<Event> spare_events_;

    // The pages. Held while they are mapped, and while allocating waits.
    std::mutex pages_mutex_;
    int64_t users_ = 0;
    std::vector<PhysicalPage> free_;
    PageSlabs slabs_{0};
    std::map<int64_t, MappedPages> slab_pages_;  // by their numbers in slabs_
};

}  // namespace lk::cuda
