// What an instruction set path computes by itself. Everything around it (threads, chunks of rows, adapters' order,
// bias, rounding) is the same for all paths: linear/blocked.cpp and lora/blocked.cpp.
#pragma once

#include "core/backend.h"
#include "packing/weight.h"

namespace lk::cpu {

// Rows of x that are computed together: a panel of W is read once for them.
inline constexpr int64_t kChunkRows = 256;
// Rows that a path prepares at a time. Rows are divided between threads at multiples of it.
inline constexpr int64_t kPreparedRows = 8;
// Entries of one adapter that shrink computes together.
inline constexpr int64_t kEntriesAtOnce = 64;

// fp32 rows are padded with zeros to whole steps of W.
constexpr int64_t padded_depth(int64_t in_features) {
    return round_up(in_features, PanelLayout::kStepDepth);
}

// Rows of x, padded_depth(in_features) apart, in the weight's order of k, and what the path made of them.
struct PreparedRows {
    const float* x;
    const uint8_t* prepared;
};

struct Path {
    // Whether weights whose groups straddle rows can be multiplied; the portable path does it for those that cannot.
    bool takes_straddling_groups;
    // The most bytes that a row is prepared to; 0 where rows are taken as they are.
    int64_t (*prepared_row_bytes)(int64_t in_features);
    // Prepares kPreparedRows rows for a weight, or what is left: those from `begin` on of a chunk of `rows`.
    void (*prepare)(const lk_weight& weight, lk_compute compute, const float* x, int64_t begin, int64_t rows,
                    uint8_t* prepared);
    // totals[r][c] += x[r] . W[c] for the columns c of a panel and rows [begin, begin + rows); begin is a multiple of
    // kPreparedRows. The sum of a row has one order, whatever the other rows are.
    void (*add_product)(const lk_weight& weight, lk_compute compute, int64_t panel, const PreparedRows& x,
                        int64_t begin, int64_t rows, float (*totals)[PanelLayout::kColumns]);
    // out[e][r] = x_rows[e] . A[r] for a rank tile of A and at most kEntriesAtOnce entries.
    void (*shrink_tile)(const void* tile, lk_dtype dtype, int64_t in_features, const float* const* x_rows,
                        float* const* out, int64_t entries);
    // sums[c] += values[r] * rows[r][c] for the ranks r of B and at most PanelLayout::kColumns columns; rows are
    // `stride` elements apart.
    void (*expand)(const void* rows, lk_dtype dtype, int64_t stride, const float* values, int64_t ranks,
                   int64_t columns, float* sums);
};

extern const Path kPortablePath;
#if defined(__x86_64__)
extern const Path kAvx2Path;
extern const Path kAvx512Path;
extern const Path kAvx512VnniPath;
#endif

}  // namespace lk::cpu
