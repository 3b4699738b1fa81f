// How the vector paths walk along k. A span is a run of k with one scale and one fp32 promotion: a group, or 128 k of a
// longer one. A chunk is a run of spans whose scales and codes stay in the first-level cache while rows pass by.
// Spans and chunks depend on the weight alone, so that every sum has one order.
#pragma once

#include <algorithm>

#include "packing/weight.h"

namespace lk::cpu {
namespace {

constexpr int64_t kSpanDepth = 128;
constexpr int64_t kChunkDepth = 256;
constexpr int64_t kSmallestGroup = 16;
constexpr int64_t kChunkSpans = kChunkDepth / kSmallestGroup;

struct Span {
    int64_t first_k;
    int64_t depth;
    int64_t group;
    int64_t steps() const { return divide_up(depth, PanelLayout::kStepDepth); }
    int64_t first_step() const { return first_k / PanelLayout::kStepDepth; }
};

// Spans of groups that begin in whole steps: groups are multiples of 8, or there is only one.
class Spans {
  public:
    explicit Spans(const lk_weight& weight)
        : in_features_(weight.layout.in_features),
          group_size_(std::min(weight.codec.group_size, std::max<int64_t>(in_features_, 1))),
          spans_of_group_(divide_up(group_size_, kSpanDepth)) {}

    int64_t count() const {
        const int64_t whole = in_features_ / group_size_;
        return whole * spans_of_group_ + divide_up(in_features_ % group_size_, kSpanDepth);
    }
    Span operator[](int64_t index) const {
        const int64_t group = index / spans_of_group_;
        const int64_t first_k = group * group_size_ + index % spans_of_group_ * kSpanDepth;
        const int64_t end = std::min(in_features_, (group + 1) * group_size_);
        return {first_k, std::min(kSpanDepth, end - first_k), group};
    }
    // The span behind a chunk that begins with the given one.
    int64_t chunk_end(int64_t first) const {
        const int64_t begin_k = (*this)[first].first_k;
        int64_t end = first + 1;
        for (const int64_t all = count(); end < all; ++end) {
            const Span span = (*this)[end];
            if (span.first_k + span.depth - begin_k > kChunkDepth) break;
        }
        return end;
    }

  private:
    int64_t in_features_;
    int64_t group_size_;
    int64_t spans_of_group_;
};

}  // namespace
}  // namespace lk::cpu
