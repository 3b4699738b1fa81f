#include "core/dtype.h"
#include "core/matrix.h"
#include "matmul/cuda/grid_size.h"
#include "matmul/cuda/stage_x.h"
#include "platform/cuda/launch.h"
#include "platform/cuda/target.h"

namespace lk::cuda {
namespace {

constexpr int kThreads = 256;

// E: an integer of the elements' size. Each thread makes vectors of 16 bytes.
template <class E>
__global__ void __launch_bounds__(kThreads)
    stage_x_kernel(lk_matrix x, const int32_t* order, uint4* staged, int64_t vectors_of_row) {
    constexpr int kElements = int(sizeof(uint4) / sizeof(E));
    const int64_t vectors = x.rows * vectors_of_row;
    for (int64_t i = blockIdx.x * int64_t(kThreads) + threadIdx.x; i < vectors; i += gridDim.x * int64_t(kThreads)) {
        const int64_t row = i / vectors_of_row;
        const int64_t first = (i - row * vectors_of_row) * kElements;
        const E* const from = row_of<const E>(x, row);
        uint32_t words[4] = {};
#pragma unroll
        for (int e = 0; e < kElements; ++e) {
            const int64_t k = first + e;
            if (k >= x.columns) continue;
            const uint32_t element = from[order == nullptr ? k : order[k]];
            words[e * int(sizeof(E)) / 4] |= element << (e * int(sizeof(E)) % 4 * 8);
        }
        staged[i] = make_uint4(words[0], words[1], words[2], words[3]);
    }
}

int64_t padded_columns(const lk_matrix& x) {
    return round_up(x.columns, FragmentLayout::kBlockDepth);
}

}  // namespace

bool needs_staging(const FragmentView& weight, const lk_matrix& x) {
    const bool rows_aligned = x.rows == 1 || x.row_stride * size_of(x.dtype) % 16 == 0;
    const bool aligned = reinterpret_cast<uintptr_t>(x.data) % 16 == 0 && rows_aligned;
    return weight.order != nullptr || !aligned || x.columns % FragmentLayout::kBlockDepth != 0;
}

int64_t staged_bytes(const FragmentView& weight, const lk_matrix& x) {
    return needs_staging(weight, x) ? x.rows * padded_columns(x) * size_of(x.dtype) : 0;
}

Tokens unstaged(const lk_matrix& x) {
    return {x.data, x.row_stride * size_of(x.dtype), int32_t(x.rows)};
}

Tokens stage_x(const Stream& stream, const FragmentView& weight, const lk_matrix& x, void* staged) {
    const int64_t columns = padded_columns(x);
    const int64_t vectors_of_row = columns * size_of(x.dtype) / int64_t(sizeof(uint4));
    const LaunchConfig config{
        .grid = grid_size(divide_up(x.rows * vectors_of_row, kThreads)), .block = kThreads, .stream = stream.handle()};
    auto* const vectors = static_cast<uint4*>(staged);
    if (x.dtype == LK_DTYPE_F32) {
        launch(stage_x_kernel<uint32_t>, config, x, weight.order, vectors, vectors_of_row);
    } else {
        launch(stage_x_kernel<uint16_t>, config, x, weight.order, vectors, vectors_of_row);
    }
    return {staged, columns * size_of(x.dtype), int32_t(x.rows)};
}

}  // namespace lk::cuda
