// A warp decodes a record at a time: 32 rows and 128 k, of which a lane has four rows and eight consecutive k in each
// of four 16-byte words. Its weights of a row are stored as one or two vectors, and the warp's fill whole sectors.
#include "core/dtype.h"
#include "dequantize/cuda/dequantize.h"
#include "matmul/cuda/elements.cuh"
#include "matmul/cuda/grid_size.h"
#include "packing/cuda/decode.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/launch.h"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {
namespace {

constexpr int kWarps = 8;
constexpr int kBlocks = FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth;

// Eight elements, aligned to 16 bytes.
template <class T>
__device__ __forceinline__ void store_run(T* place, const float (&values)[8]) {
    if constexpr (sizeof(T) == sizeof(float)) {
        store_streaming(reinterpret_cast<float4*>(place), float4{values[0], values[1], values[2], values[3]});
        store_streaming(reinterpret_cast<float4*>(place) + 1, float4{values[4], values[5], values[6], values[7]});
    } else {
        store_streaming(reinterpret_cast<uint4*>(place),
                        uint4{pack2<T>(values[0], values[1]), pack2<T>(values[2], values[3]),
                              pack2<T>(values[4], values[5]), pack2<T>(values[6], values[7])});
    }
}

// Aligned: rows of y begin at multiples of 16 bytes, and k is in order. What does not fill a run goes element by
// element.
template <class T, Arrangement A, bool Straddles, bool Aligned>
__global__ void __launch_bounds__(kWarps * 32)
    dequantize_kernel(const __grid_constant__ FragmentView weight, const __grid_constant__ lk_matrix y) {
    LK_SHARED(ValueTable, table);
    stage_values(table, weight);
    block_sync();
    const FragmentLayout& layout = weight.layout;
    const auto blocks = uint32_t(layout.blocks());
    const auto records = uint32_t(layout.records());
    const auto in_features = uint32_t(layout.in_features);
    const auto rows = uint32_t(layout.out_features);
    const uint32_t lane = lane_id();
    const uint32_t items = uint32_t(layout.panels()) * records;
    for (uint32_t item = blockIdx.x * kWarps + threadIdx.x / 32; item < items; item += gridDim.x * kWarps) {
        const uint32_t panel = item / records;
        const uint32_t first_block = (item - panel * records) * kBlocks;
        const uint4* const codes =
            reinterpret_cast<const uint4*>(weight.codes) + (int64_t(panel) * blocks + first_block) * 32 + lane;
        uint4 words[kBlocks];
#pragma unroll
        for (uint32_t b = 0; b < kBlocks; ++b) {
            words[b] = first_block + b < blocks ? load_nc(codes + b * 32) : uint4{0, 0, 0, 0};
        }
        const uint32_t first_row = panel * FragmentLayout::kRows + lane / 4;
        T* const first = row_of<T>(y, first_row);
#pragma unroll
        for (uint32_t b = 0; b < kBlocks; ++b) {
            if (first_block + b >= blocks) break;
            float values[4][8];
            decode_lane<A, Straddles>(weight, table, panel, first_block + b, lane, words[b], values);
            const uint32_t k = (first_block + b) * FragmentLayout::kBlockDepth + lane % 4 * 8;
#pragma unroll
            for (int quarter = 0; quarter < 4; ++quarter) {
                if (first_row + 8 * quarter >= rows) break;
                T* const row = first + 8 * quarter * y.row_stride;
                if (Aligned && k + 8 <= in_features) {
                    store_run(row + k, values[quarter]);
                    continue;
                }
#pragma unroll
                for (uint32_t j = 0; j < 8; ++j) {
                    if (k + j >= in_features) break;
                    store_rounded(row + (weight.order == nullptr ? k + j : uint32_t(weight.order[k + j])),
                                  values[quarter][j]);
                }
            }
        }
    }
}

bool is_aligned(const lk_matrix& y) {
    return reinterpret_cast<uintptr_t>(y.data) % 16 == 0 && y.row_stride * size_of(y.dtype) % 16 == 0;
}

}  // namespace

void dequantize(const Stream& stream, const FragmentView& weight, const lk_matrix& y) {
    const int64_t items = weight.layout.panels() * weight.layout.records();
    const LaunchConfig config{
        .grid = grid_size(divide_up(items, kWarps)), .block = kWarps * 32, .stream = stream.handle()};
    const bool aligned = is_aligned(y) && weight.order == nullptr;
    with_dtype(y.dtype, [&]<class T>(T*) {
        with_arrangement(weight, [&]<Arrangement A, bool Straddles>() {
            launch(aligned ? dequantize_kernel<T, A, Straddles, true> : dequantize_kernel<T, A, Straddles, false>,
                   config, weight, y);
        });
    });
}

}  // namespace lk::cuda
