#include "lora/cuda/adapter_pages.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace lk::cuda {

PageLayout::PageLayout(const std::vector<int64_t>& part_bytes, int64_t page_bytes) : parts(part_bytes.size()) {
    std::vector<size_t> largest_first(part_bytes.size());
    std::iota(largest_first.begin(), largest_first.end(), size_t(0));
    std::stable_sort(largest_first.begin(), largest_first.end(),
                     [&](size_t a, size_t b) { return part_bytes[a] > part_bytes[b]; });
    const int64_t total = std::accumulate(part_bytes.begin(), part_bytes.end(), int64_t(0));
    // First as many pages as can be filled; a piece that leaves a shared page to hardly anybody else gets one more.
    for (request.pages = total / page_bytes;; ++request.pages) {
        request.pieces.clear();
        int64_t used = 0;
        bytes = request.pages * page_bytes;
        for (const size_t part : largest_first) {
            const int64_t size = part_bytes[part];
            if (used + size <= request.pages * page_bytes) {
                parts[part] = {-1, used};
                used += size;
            } else {
                parts[part] = {int64_t(request.pieces.size()), 0};
                request.pieces.push_back(round_up(size, kPieceAlignment));
                bytes += request.pieces.back();
            }
        }
        const bool is_small = std::all_of(request.pieces.begin(), request.pieces.end(),
                                          [&](int64_t piece) { return piece <= page_bytes / 2; });
        if (is_small && bytes <= (total / page_bytes + 1) * page_bytes) return;
    }
}

class AdapterPages::Place final : public AdapterPlace {
  public:
    Place(std::shared_ptr<AdapterMemory> memory, PagePool& pool, std::unique_ptr<PagePool::Block> block,
          const PageLayout& layout)
        : AdapterPlace(std::move(memory), layout.bytes), pool_(pool), block_(std::move(block)) {
        for (const PageLayout::Part& part : layout.parts) {
            char* const begin = part.piece < 0 ? block_->pages.data() : block_->pieces_at[size_t(part.piece)];
            parts_.push_back(begin + part.offset);
        }
    }
    ~Place() override { pool_.release(std::move(block_)); }

  private:
    PagePool& pool_;
    std::unique_ptr<PagePool::Block> block_;
};

int64_t AdapterPages::bytes_for(const std::vector<int64_t>& parts) const {
    return PageLayout(parts, pool_.page_bytes()).bytes;
}

std::unique_ptr<AdapterPlace> AdapterPages::allocate(const std::vector<int64_t>& parts) {
    const PageLayout layout(parts, pool_.page_bytes());
    std::unique_ptr<PagePool::Block> block = pool_.allocate(layout.request);
    if (block == nullptr) {
        fail(LK_OUT_OF_MEMORY, "out of memory: %lld bytes for an adapter", static_cast<long long>(layout.bytes));
    }
    return std::make_unique<Place>(shared_from_this(), pool_, std::move(block), layout);
}

}  // namespace lk::cuda
