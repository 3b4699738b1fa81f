#include "platform/cuda/page_slabs.h"

#include <iterator>

namespace lk::cuda {

PageSlabs::Piece PageSlabs::place(int64_t bytes) {
    int64_t page = -1, offset = 0, smallest = page_bytes_ + 1;
    for (const auto& [number, gaps] : gaps_) {
        for (const auto& [first, length] : gaps) {
            if (length < bytes || length >= smallest) continue;
            page = number;
            offset = first;
            smallest = length;
        }
    }
    if (page < 0) {
        page = next_page_++;
        smallest = page_bytes_;
        gaps_[page][0] = page_bytes_;
    }
    std::map<int64_t, int64_t>& gaps = gaps_[page];
    gaps.erase(offset);
    if (smallest > bytes) gaps[offset + bytes] = smallest - bytes;
    return {page, offset, bytes};
}

bool PageSlabs::release(const Piece& piece) {
    std::map<int64_t, int64_t>& gaps = gaps_.at(piece.page);
    auto gap = gaps.emplace(piece.offset, piece.bytes).first;
    const auto after = std::next(gap);
    if (after != gaps.end() && after->first == gap->first + gap->second) {
        gap->second += after->second;
        gaps.erase(after);
    }
    if (gap != gaps.begin()) {
        const auto before = std::prev(gap);
        if (before->first + before->second == gap->first) {
            before->second += gap->second;
            gaps.erase(gap);
            gap = before;
        }
    }
    if (gap->second < page_bytes_) return false;
    gaps_.erase(piece.page);
    return true;
}

}  // namespace lk::cuda
