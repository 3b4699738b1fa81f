// A block decodes one tile of a panel into shared memory and writes it row by row: the panel's words are read along its
// columns, y is written along k.
#include "core/dtype.h"
#include "dequantize/cuda/dequantize.h"
#include "matmul/cuda/grid_size.h"
#include "matmul/cuda/tile.cuh"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kTileThreads)
    dequantize_kernel(const __grid_constant__ WeightView weight, const __grid_constant__ lk_matrix y) {
    LK_SHARED(Tile<PanelLayout::kColumns>, tile);
    LK_SHARED(ValueTable, table);
    stage_values(table, weight);
    const PanelLayout& layout = weight.layout;
    const int64_t tiles_of_panel = divide_up(layout.in_features, kTileDepth);
    for (int64_t item = blockIdx.x; item < layout.panels() * tiles_of_panel; item += gridDim.x) {
        const int64_t panel = item / tiles_of_panel;
        const int64_t first_k = item % tiles_of_panel * kTileDepth;
        block_sync();
        stage_panel(tile, weight, table, panel, first_k);
        block_sync();
        const int64_t left = layout.in_features - first_k;
        const int depth = left < kTileDepth ? int(left) : kTileDepth;
        for (int column = 0; column < int(layout.columns(panel)); ++column) {
            T* const out = row_of<T>(y, panel * PanelLayout::kColumns + column) + first_k;
            for (int k = int(threadIdx.x); k < depth; k += kTileThreads) {
                store_rounded(out + k, tile.values[column][k]);
            }
        }
    }
}

}  // namespace

void dequantize(const Stream& stream, const WeightView& weight, const lk_matrix& y) {
    const int64_t tiles = weight.layout.panels() * divide_up(weight.layout.in_features, kTileDepth);
    with_dtype(y.dtype, [&]<class T>(T*) {
        launch(dequantize_kernel<T>, {.grid = grid_size(tiles), .block = kTileThreads, .stream = stream.handle()},
               weight, y);
    });
}

}  // namespace lk::cuda
