// Pages cut into pieces: where each piece lies, and what is free. Bookkeeping alone, of pages that somebody else has.
#pragma once

#include <cstdint>
#include <map>

namespace lk::cuda {

class PageSlabs {
  public:
    explicit PageSlabs(int64_t page_bytes) : page_bytes_(page_bytes) {}

    struct Piece {
        int64_t page;  // its number
        int64_t offset;
        int64_t bytes;
    };

    // In the smallest gap that has room; in a new page where none has. At most a page.
    Piece place(int64_t bytes);
    // Returns whether the page is empty now, and gone.
    bool release(const Piece& piece);

    int64_t pages() const { return int64_t(gaps_.size()); }

  private:
    int64_t page_bytes_;
    int64_t next_page_ = 0;
    // Of each page: its gaps by their first bytes, as long as the value says.
    std::map<int64_t, std::map<int64_t, int64_t>> gaps_;
};

}  // namespace lk::cuda
