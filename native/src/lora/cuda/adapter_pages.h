// Adapters in pages of a GPU's memory.
#pragma once

#include "lora/adapter_memory.h"
#include "platform/cuda/page_pool.h"

namespace lk::cuda {

// How an adapter's parts lie: the large ones side by side in whole pages of its own, what these have no room for in
// pieces of pages that adapters share.
struct PageLayout {
    static constexpr int64_t kPieceAlignment = 256;

    struct Part {
        int64_t piece;   // -1: in the adapter's own pages
        int64_t offset;  // there
    };

    PageLayout(const std::vector<int64_t>& part_bytes, int64_t page_bytes);

    PagePool::Request request;
    std::vector<Part> parts;
    int64_t bytes;  // of both
};

class AdapterPages final : public AdapterMemory {
  public:
    explicit AdapterPages(PagePool& pool) : pool_(pool) { pool_.join(); }
    ~AdapterPages() override { pool_.leave(); }

    int64_t bytes_for(const std::vector<int64_t>& parts) const override;
    std::unique_ptr<AdapterPlace> allocate(const std::vector<int64_t>& parts) override;
    int64_t reserved_bytes() const override { return pool_.reserved_bytes(); }
    void retire() override { pool_.retire(); }
    void trim() override { pool_.trim(); }

  private:
    class Place;

    PagePool& pool_;
};

}  // namespace lk::cuda
