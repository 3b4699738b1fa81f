// s = x * A^T.
#include <algorithm>

#include "core/dtype.h"
#include "linear/cuda/exact.cuh"
#include "lora/cuda/lora.h"
#include "lora/cuda/shrink.cuh"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/grid.cuh"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

// Of a multiprocessor, at least. Where this is not said, ptxas saves registers for more of them and spills.
constexpr int kShrinkBlocks = 3;
// A recorded launch serves any number of items up to the batch's capacity: blocks walk over them.
constexpr int64_t kMostBlocks = 4096;

template <class T>
__global__ void __launch_bounds__(kShrinkThreads, kShrinkBlocks)
    shrink_kernel(const __grid_constant__ lk_matrix x, const __grid_constant__ Adapters adapters) {
    LK_SHARED(ShrinkSums, sums);
    grid_launch_dependents();
    const int64_t work = int64_t(adapters.plan.counts->items) * adapters.pieces;
    for (int64_t i = blockIdx.x; i < work; i += gridDim.x) {
        const auto item = i / adapters.pieces;
        shrink_item<T>(x, adapters, adapters.plan.items[item], int32_t(i - item * adapters.pieces), sums);
    }
}

// See exact.cuh.
template <class T>
LK_RARE float undo_overflow(const lk_matrix& x, int64_t row, const LoraDescriptor& slice, int64_t rank, float total) {
    if (slice.finite == 0 || !row_is_finite<T>(x, row)) return total;
    return float(exact_value<T>(x, row, slice, rank));
}

// s = the whole values, one entry a row; what entries do not fill becomes 0.
template <class T>
__global__ void __launch_bounds__(kShrinkThreads)
    collect_kernel(const __grid_constant__ lk_matrix x, const __grid_constant__ Adapters adapters,
                   const __grid_constant__ lk_matrix s) {
    const DevicePlan& plan = adapters.plan;
    for (int64_t entry = blockIdx.x; entry < s.rows; entry += gridDim.x) {
        float* const out = row_of<float>(s, entry);
        int64_t filled = 0;
        const int32_t segment = entry < plan.counts->entries ? plan.segment_of_entry[entry] : -1;
        if (segment >= 0 && plan.row_of_entry[entry] < x.rows) {
            for_each_slice(adapters, entry, plan.descriptors[segment] + adapters.first_slice,
                           [&](const LoraDescriptor& slice, const float* values) {
                               for (int32_t rank = int32_t(threadIdx.x); rank < slice.rank; rank += kShrinkThreads) {
                                   float total = whole_value(adapters, values + rank);
                                   if (!is_finite(total)) {
                                       total = undo_overflow<T>(x, plan.row_of_entry[entry], slice, rank, total);
                                   }
                                   out[filled + rank] = total;
                               }
                               filled += slice.rank;
                           });
        }
        for (int64_t c = filled + int64_t(threadIdx.x); c < s.columns; c += kShrinkThreads) out[c] = 0;
    }
}

}  // namespace

void shrink(const Stream& stream, const lk_matrix& x, const Adapters& adapters, int64_t items) {
    const int64_t blocks = std::min(items * adapters.pieces, kMostBlocks);
    with_dtype(x.dtype, [&]<class T>(T*) {
        launch(shrink_kernel<T>, {.grid = grid_size(blocks), .block = kShrinkThreads, .stream = stream.handle()}, x,
               adapters);
    });
}

void collect(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& s) {
    with_dtype(x.dtype, [&]<class T>(T*) {
        launch(collect_kernel<T>, {.grid = grid_size(s.rows), .block = kShrinkThreads, .stream = stream.handle()}, x,
               adapters, s);
    });
}

}  // namespace lk::cuda
