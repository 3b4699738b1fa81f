// y += s * B^T of the rows that have adapters. A warp computes 32 columns of a few tokens; other rows are not touched.
#include "core/dtype.h"
#include "linear/cuda/exact.cuh"
#include "lora/cuda/expand.cuh"
#include "lora/cuda/lora.h"
#include "matmul/cuda/grid_size.h"
#include "platform/cuda/grid.cuh"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

template <class T, int ColumnTiles>
__global__ void __launch_bounds__(kExpandThreads, ColumnTiles == 1 ? 4 : 2)
    expand_kernel(const __grid_constant__ lk_matrix x, const __grid_constant__ Adapters adapters,
                  const __grid_constant__ lk_matrix y) {
    LK_SHARED(ExpandStaging, staging);
    grid_dependency_wait();
    const int64_t tiles = expand_tiles<ColumnTiles>(y);
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        expand_tile<T, ColumnTiles>(x, adapters, y, tile, staging);
    }
}

template <int ColumnTiles, class T>
void launch_tiles(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& y, T*) {
    launch(expand_kernel<T, ColumnTiles>,
           {.grid = grid_size(expand_tiles<ColumnTiles>(y)),
            .block = kExpandThreads,
            .stream = stream.handle(),
            .programmatic = x.data != nullptr},
           x, adapters, y);
}

}  // namespace

void expand(const Stream& stream, const lk_matrix& x, const Adapters& adapters, const lk_matrix& y) {
    with_dtype(y.dtype, [&]<class T>(T* type) {
        if (y.rows <= kUpdateTokens) {
            launch_tiles<1>(stream, x, adapters, y, type);
        } else {
            launch_tiles<4>(stream, x, adapters, y, type);
        }
    });
}

}  // namespace lk::cuda
