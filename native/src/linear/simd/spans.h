// How the vector paths walk along k. A span is a run of k with one scale and one fp32 promotion: a group, or 128 k of a
// longer one. Spans depend on the weight alone, so that every sum has one order. A chunk is a run of spans whose scales
// and codes stay in the first-level cache while rows pass by.
#pragma once

#include <algorithm>

#include "packing/weight.h"

namespace lk::cpu {
namespace {

constexpr int64_t kSpanDepth = 128;
constexpr int64_t kChunkDepth = 256;       // where many rows share a decoded chunk
constexpr int64_t kLongChunkDepth = 1024;  // where a few rows take the codes as they are
constexpr int64_t kSmallestGroup = 8;
constexpr int64_t kChunkSpans = kLongChunkDepth / kSmallestGroup;

struct Span {
    int64_t first_k;
    int64_t depth;
    int64_t group;
    int64_t steps() const { return divide_up(depth, PanelLayout::kStepDepth); }
    int64_t first_step() const { return first_k / PanelLayout::kStepDepth; }
    int64_t end_k() const { return first_k + depth; }
};

// Walks along the spans of a weight, without a division. Groups begin in whole steps: they are multiples of 8, or there
// is only one.
class SpanCursor {
  public:
    explicit SpanCursor(const lk_weight& weight)
        : in_features_(weight.layout.in_features), group_size_(weight.codec.group_size) {
        enter(0, 0);
    }

    bool at_end() const { return span_.first_k >= in_features_; }
    const Span& span() const { return span_; }
    void next() {
        const int64_t k = span_.end_k();
        if (k == group_end_) {
            enter(k, span_.group + 1);
        } else {
            span_ = {k, std::min(kSpanDepth, group_end_ - k), span_.group};
        }
    }

  private:
    void enter(int64_t first_k, int64_t group) {
        group_end_ = std::min(in_features_, first_k + group_size_);
        span_ = {first_k, std::min(kSpanDepth, group_end_ - first_k), group};
    }

    int64_t in_features_;
    int64_t group_size_;
    int64_t group_end_;
    Span span_;
};

inline int64_t count_spans(const lk_weight& weight) {
    const int64_t in_features = weight.layout.in_features;
    const int64_t group_size = weight.codec.group_size;
    return in_features / group_size * divide_up(group_size, kSpanDepth) +
           divide_up(in_features % group_size, kSpanDepth);
}

struct Chunk {
    int64_t count = 0;
    int64_t steps = 0;
    Span spans[kChunkSpans];

    // The spans from the cursor on that are no deeper than `depth` together, at least one.
    Chunk(SpanCursor& cursor, int64_t depth) {
        const int64_t first_k = cursor.span().first_k;
        do {
            spans[count++] = cursor.span();
            steps += cursor.span().steps();
            cursor.next();
        } while (!cursor.at_end() && cursor.span().end_k() - first_k <= depth);
    }
};

}  // namespace
}  // namespace lk::cpu
