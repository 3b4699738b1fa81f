// A block computes 32 rows of a panel's 32 columns, a thread 4 x 4 of them. x and W pass through shared memory as fp32,
// 128 k at a time; then the rows' adapters and the bias are added and the result is rounded. An element's sum has one
// order, whatever rows there are.
#include "core/dtype.h"
#include "linear/cuda/exact.cuh"
#include "linear/cuda/linear.h"
#include "matmul/cuda/grid_size.h"
#include "matmul/cuda/tile.cuh"
#include "platform/cuda/launch.h"
#include "platform/cuda/status.h"

namespace lk::cuda {
namespace {

constexpr int kTileRows = 32;
constexpr int kTileColumns = int(FragmentLayout::kRows);
constexpr int kThreadElements = 4;  // in either direction
constexpr int kRowStep = kTileRows / kThreadElements;
constexpr int kColumnStep = kTileColumns / kThreadElements;
static_assert(kTileThreads == kRowStep * kColumnStep);

// A thread's rows and columns, kRowStep and kColumnStep apart.
using Sums = float[kThreadElements][kThreadElements];

struct Arguments {
    lk_matrix x;
    FragmentView weight;
    Adapters adapters;
    lk_matrix bias;
    lk_matrix y;
};

template <class T>
__device__ __forceinline__ void add_panel(const Arguments& arguments, const ValueTable& table, int64_t panel,
                                          int64_t first_row, int row, int column, int rows, Sums& totals) {
    LK_SHARED(Tile<kTileRows>, x_tile);
    LK_SHARED(Tile<kTileColumns>, w_tile);
    const lk_matrix& x = arguments.x;
    const int64_t rows_left = x.rows - first_row;
    const int staged_rows = rows_left < kTileRows ? int(rows_left) : kTileRows;
    for (int64_t first_k = 0; first_k < x.columns; first_k += kTileDepth) {
        block_sync();
        stage_rows(
            x_tile, staged_rows, x.columns, first_k, [&](int r) { return row_of<const T>(x, first_row + r); },
            arguments.weight.order);
        stage_panel(w_tile, arguments.weight, table, panel, first_k);
        block_sync();
        Sums sums = {};
        add_products<kThreadElements, kThreadElements, kRowStep, kColumnStep>(x_tile, w_tile, row, column, rows,
                                                                              padded_depth(x.columns, first_k), sums);
#pragma unroll
        for (int i = 0; i < kThreadElements; ++i) {
#pragma unroll
            for (int j = 0; j < kThreadElements; ++j) totals[i][j] += sums[i][j];
        }
    }
}

// See exact.cuh.
template <class T>
LK_RARE float undo_overflow(const Arguments& arguments, int64_t row, int64_t n, float total) {
    if (!row_is_finite<T>(arguments.x, row) || !adapters_are_finite(arguments.adapters, row)) return total;
    double exact = exact_product<T>(arguments.x, row, arguments.weight, n);
    exact += exact_adapters_of<T>(arguments.x, arguments.adapters, row, n);
    if (arguments.bias.data != nullptr) exact += double(load_element(arguments.bias.data, arguments.bias.dtype, n));
    return float(exact);
}

template <class T>
__global__ void __launch_bounds__(kTileThreads) linear_kernel(const __grid_constant__ Arguments arguments) {
    LK_SHARED(ValueTable, table);
    stage_values(table, arguments.weight);
    const lk_matrix& y = arguments.y;
    const int row_in_tile = int(threadIdx.x) / kColumnStep;
    const int column_in_tile = int(threadIdx.x) % kColumnStep;
    const int64_t panels = arguments.weight.layout.panels();
    for (int64_t item = blockIdx.x; item < panels * divide_up(y.rows, kTileRows); item += gridDim.x) {
        const int64_t panel = item % panels;
        const int64_t first_row = item / panels * kTileRows;
        const int64_t row = first_row + row_in_tile;
        const int64_t column = panel * kTileColumns + column_in_tile;
        int rows = 0;
        while (rows < kThreadElements && row + rows * kRowStep < y.rows) ++rows;

        Sums totals = {};
        add_panel<T>(arguments, table, panel, first_row, row_in_tile, column_in_tile, rows, totals);

        float bias[kThreadElements] = {};
#pragma unroll
        for (int j = 0; j < kThreadElements; ++j) {
            const int64_t n = column + j * kColumnStep;
            if (arguments.bias.data != nullptr && n < y.columns) {
                bias[j] = load_element(arguments.bias.data, arguments.bias.dtype, n);
            }
        }
#pragma unroll
        for (int i = 0; i < kThreadElements; ++i) {
            if (i >= rows) continue;
            const int64_t m = row + i * kRowStep;
            add_adapters<kThreadElements, kColumnStep>(arguments.adapters, m, column, y.columns, totals[i]);
#pragma unroll
            for (int j = 0; j < kThreadElements; ++j) {
                const int64_t n = column + j * kColumnStep;
                if (n >= y.columns) continue;
                float total = totals[i][j] + bias[j];
                if (!is_finite(total)) total = undo_overflow<T>(arguments, m, n, total);
                store_rounded(row_of<T>(y, m) + n, total);
            }
        }
    }
}

}  // namespace

void check_kernels() {
    int blocks = 0;
    check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, reinterpret_cast<const void*>(linear_kernel<float>),
                                                        kTileThreads, 0),
          "looking for the library's kernels");
}

void linear(const Stream& stream, const lk_matrix& x, const FragmentView& weight, const Adapters& adapters,
            const lk_matrix& bias, const lk_matrix& y) {
    const int64_t tiles = weight.layout.panels() * divide_up(y.rows, kTileRows);
    with_dtype(x.dtype, [&]<class T>(T*) {
        launch(linear_kernel<T>, {.grid = grid_size(tiles), .block = kTileThreads, .stream = stream.handle()},
               Arguments{x, weight, adapters, bias, y});
    });
}

}  // namespace lk::cuda
