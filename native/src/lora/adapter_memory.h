// Where the adapters of a table lie.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/memory.h"

namespace lk {

class AdapterMemory;

// The memory of one adapter. It goes back at the end.
class AdapterPlace {
  public:
    AdapterPlace(std::shared_ptr<AdapterMemory> memory, int64_t bytes);
    AdapterPlace(const AdapterPlace&) = delete;
    AdapterPlace& operator=(const AdapterPlace&) = delete;
    virtual ~AdapterPlace();

    // Where each of its parts begins: at a multiple of 64 bytes.
    const std::vector<char*>& parts() const { return parts_; }
    // What it takes of the memory.
    int64_t bytes() const { return bytes_; }

  protected:
    std::vector<char*> parts_;

  private:
    std::shared_ptr<AdapterMemory> memory_;
    int64_t bytes_;
};

// What a table takes its adapters' memory from. An adapter comes in parts, each of which lies in one piece; their sizes
// are multiples of 64 bytes.
class AdapterMemory : public std::enable_shared_from_this<AdapterMemory> {
  public:
    virtual ~AdapterMemory() = default;

    // What an adapter of such parts takes: by their sizes alone.
    virtual int64_t bytes_for(const std::vector<int64_t>& parts) const = 0;
    // Throws LK_OUT_OF_MEMORY. Adapters of several threads may be placed and go at the same time.
    virtual std::unique_ptr<AdapterPlace> allocate(const std::vector<int64_t>& parts) = 0;

    // What adapters take that were allocated here.
    int64_t held_bytes() const { return held_.load(std::memory_order_relaxed); }
    // What the system has given for them.
    virtual int64_t reserved_bytes() const { return held_bytes(); }
    // Adapters may have gone that work still reads: from now on it is known when that is done.
    virtual void retire() {}
    // Gives back to the system what no adapter needs.
    virtual void trim() {}

  private:
    friend class AdapterPlace;
    std::atomic<int64_t> held_{0};
};

// Each adapter in one block of an allocator, in whole pages of it.
class AdapterBlocks final : public AdapterMemory {
  public:
    // `owner` is kept as long as the allocator is needed.
    AdapterBlocks(const lk_allocator& allocator, int64_t page_bytes, std::shared_ptr<const void> owner = nullptr)
        : allocator_(allocator), page_bytes_(page_bytes), owner_(std::move(owner)) {}

    int64_t bytes_for(const std::vector<int64_t>& parts) const override;
    std::unique_ptr<AdapterPlace> allocate(const std::vector<int64_t>& parts) override;

  private:
    class Place;

    lk_allocator allocator_;
    int64_t page_bytes_;
    std::shared_ptr<const void> owner_;
};

}  // namespace lk
