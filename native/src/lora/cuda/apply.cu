// Shrink and expand in one launch, for few rows: the launch costs more than the work.
//
// Blocks take tickets from a counter: first those of shrink's items, then those of y's tiles. A tile waits until all
// items are done, which blocks with smaller tickets compute: they run already and wait for nobody, so that nothing
// depends on how many blocks a GPU runs at once. The last block to leave sets the counters back for the next launch.
#include <algorithm>

#include "core/dtype.h"
#include "lora/cuda/expand.cuh"
#include "lora/cuda/lora.h"
#include "lora/cuda/shrink.cuh"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

static_assert(kShrinkThreads == kExpandThreads);

// Of a multiprocessor, at least. Where this is not said, ptxas saves registers for more of them and spills.
constexpr int kApplyBlocks = 3;
// Blocks take tickets until there are no more: that is all that a recorded launch has to know of capacities.
constexpr int64_t kMostBlocks = 1024;

union ApplyShared {
    ShrinkSums shrink;
    ExpandStaging expand;
};

template <class T>
__global__ void __launch_bounds__(kShrinkThreads, kApplyBlocks)
    apply_kernel(const __grid_constant__ lk_matrix x, const __grid_constant__ Adapters adapters,
                 const __grid_constant__ lk_matrix y, ApplyCounters* counters) {
    LK_SHARED(ApplyShared, shared);
    LK_SHARED(uint32_t, ticket);
    const auto shrinks = uint32_t(adapters.plan.counts->items) * uint32_t(adapters.pieces);
    const uint32_t tickets = shrinks + uint32_t(expand_tiles<1>(y));
    for (;;) {
        // Every thread has read the ticket before: there was a barrier behind.
        if (threadIdx.x == 0) ticket = atomic_add(&counters->tickets, 1u);
        block_sync();
        const uint32_t own = ticket;
        if (own >= tickets) break;
        if (own < shrinks) {
            const uint32_t item = own / uint32_t(adapters.pieces);
            const uint32_t piece = own - item * uint32_t(adapters.pieces);
            shrink_item<T>(x, adapters, adapters.plan.items[item], int32_t(piece), shared.shrink);
            block_sync();
            if (threadIdx.x == 0) atomic_add_acq_rel(&counters->shrunk, 1u);
        } else {
            if (threadIdx.x == 0) wait_until_equal(&counters->shrunk, shrinks);
            block_sync();
            expand_tile<T, 1>(x, adapters, y, own - shrinks, shared.expand);
        }
    }
    if (threadIdx.x != 0) return;
    if (atomic_add_acq_rel(&counters->left, 1u) != gridDim.x - 1) return;
    atomic_exchange(&counters->tickets, 0u);
    atomic_exchange(&counters->shrunk, 0u);
    atomic_exchange(&counters->left, 0u);
}

}  // namespace

void apply(const Stream& stream, const lk_matrix& x, const Adapters& adapters, int64_t items, const lk_matrix& y,
           ApplyCounters* counters) {
    const int64_t blocks = std::min(items * adapters.pieces + expand_tiles<1>(y), kMostBlocks);
    with_dtype(x.dtype, [&]<class T>(T*) {
        launch(apply_kernel<T>, {.grid = grid_size(blocks), .block = kShrinkThreads, .stream = stream.handle()}, x,
               adapters, y, counters);
    });
}

}  // namespace lk::cuda
