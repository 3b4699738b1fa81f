#include "lora/adapter_memory.h"

#include <algorithm>
#include <numeric>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace lk {
namespace {

// What a page has left behind an adapter: nobody may touch it. Only a sanitizer notices.
void forbid([[maybe_unused]] const char* memory, [[maybe_unused]] int64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_POISON_MEMORY_REGION(memory, size_t(bytes));
#endif
}

void allow([[maybe_unused]] const char* memory, [[maybe_unused]] int64_t bytes) {
#if defined(__SANITIZE_ADDRESS__)
    ASAN_UNPOISON_MEMORY_REGION(memory, size_t(bytes));
#endif
}

}  // namespace

AdapterPlace::AdapterPlace(std::shared_ptr<AdapterMemory> memory, int64_t bytes)
    : memory_(std::move(memory)), bytes_(bytes) {
    memory_->held_.fetch_add(bytes_, std::memory_order_relaxed);
}

AdapterPlace::~AdapterPlace() {
    memory_->held_.fetch_sub(bytes_, std::memory_order_relaxed);
}

class AdapterBlocks::Place final : public AdapterPlace {
  public:
    Place(std::shared_ptr<AdapterMemory> memory, Block block, const std::vector<int64_t>& parts)
        : AdapterPlace(std::move(memory), block.bytes()), block_(std::move(block)) {
        auto* next = static_cast<char*>(block_.data());
        for (const int64_t bytes : parts) {
            parts_.push_back(next);
            next += bytes;
        }
        end_ = next;
        forbid(end_, rest());
    }
    ~Place() override { allow(end_, rest()); }

  private:
    int64_t rest() const { return static_cast<const char*>(block_.data()) + block_.bytes() - end_; }

    Block block_;
    const char* end_;
};

int64_t AdapterBlocks::bytes_for(const std::vector<int64_t>& parts) const {
    const int64_t bytes = std::accumulate(parts.begin(), parts.end(), int64_t(0));
    return round_up(std::max<int64_t>(bytes, 1), page_bytes_);
}

std::unique_ptr<AdapterPlace> AdapterBlocks::allocate(const std::vector<int64_t>& parts) {
    Block block(allocator_, bytes_for(parts), 64, "an adapter");
    return std::make_unique<Place>(shared_from_this(), std::move(block), parts);
}

}  // namespace lk
