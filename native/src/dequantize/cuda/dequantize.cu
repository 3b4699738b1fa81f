// A warp decodes a strip: 32 rows and 512 k, a k-block at a time, of which a lane has eight consecutive k of four rows
// in one 16-byte word. They are stored as one or two vectors a row, and a warp's stores fill whole sectors.
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
constexpr uint32_t kStripBlocks = 16;

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

// Any run of a row of y, whatever its alignment and length, in any order of k.
template <class T>
__device__ __forceinline__ void store_elements(const FragmentView& weight, T* row, uint32_t k,
                                               const float (&values)[8]) {
#pragma unroll
    for (uint32_t j = 0; j < 8; ++j) {
        if (k + j >= weight.layout.in_features) break;
        store_rounded(row + (weight.order == nullptr ? k + j : uint32_t(weight.order[k + j])), values[j]);
    }
}

// Calls visit(panel, block, codes, scales) for the k-blocks of this thread's warp, each with what its lane has of it.
template <Scaling S, class Visit>
__device__ __forceinline__ void for_each_block(const FragmentView& weight, const ScaleForm& form, const Visit& visit) {
    const auto blocks = uint32_t(weight.layout.blocks());
    const uint32_t strips = (blocks + kStripBlocks - 1) / kStripBlocks;
    const uint32_t items = uint32_t(weight.layout.panels()) * strips;
    const uint32_t lane = lane_id();
    for (uint32_t item = blockIdx.x * kWarps + threadIdx.x / 32; item < items; item += gridDim.x * kWarps) {
        const uint32_t panel = item / strips;
        uint32_t block = (item - panel * strips) * kStripBlocks;
        const uint32_t end = blocks - block < kStripBlocks ? blocks : block + kStripBlocks;
        const uint4* codes =
            reinterpret_cast<const uint4*>(weight.codes) + (int64_t(panel) * blocks + block) * 32 + lane;
        uint4 words = load_nc(codes);
        LaneScales<S> scales;
        scales.load(weight, form, panel, block, lane);
#pragma unroll 1
        for (; block < end; ++block) {
            // The next block's, while this one is computed with.
            codes += 32;
            uint4 next_words{};
            LaneScales<S> next_scales{};
            if (block + 1 < end) {
                next_words = load_nc(codes);
                next_scales.load(weight, form, panel, block + 1, lane);
            }
            visit(panel, block, words, scales);
            words = next_words;
            scales = next_scales;
        }
    }
}

// Calls store(row, k, values) for the runs of a lane's rows that are there.
template <Arrangement A, Scaling S, class Store>
__device__ __forceinline__ void decode_runs(const FragmentView& weight, const ScaleForm& form, const ValueTable& table,
                                            const Store& store) {
    for_each_block<S>(weight, form,
                      [&](uint32_t panel, uint32_t block, const uint4& words, const LaneScales<S>& scales) {
                          float values[4][8];
                          decode_lane<A, S>(table, scales, words, values);
                          const uint32_t k = block * FragmentLayout::kBlockDepth + lane_id() % 4 * 8;
                          const int64_t first_row = int64_t(panel) * FragmentLayout::kRows + lane_id() / 4;
#pragma unroll
                          for (int quarter = 0; quarter < 4; ++quarter) {
                              const int64_t row = first_row + 8 * quarter;
                              if (row < weight.layout.out_features && k < weight.layout.in_features)
                                  store(row, k, values[quarter]);
                          }
                      });
}

// All runs of eight are whole and aligned, and k is in order.
template <class T, Arrangement A, Scaling S, ScaleKind Kind>
__global__ void __launch_bounds__(kWarps * 32, S == Scaling::across_rows ? 2 : 3)
    dequantize_kernel(const __grid_constant__ FragmentView weight, const __grid_constant__ lk_matrix y) {
    // kernel_of() sees to the sizes.
    constexpr ScaleForm kForm{Kind, A != Arrangement::nibbles};
    LK_SHARED(ValueTable, table);
    stage_values(table, weight);
    block_sync();
    decode_runs<A, S>(weight, kForm, table, [&](int64_t row, uint32_t k, const float(&values)[8]) {
        store_run(row_of<T>(y, row) + k, values);
    });
}

template <class T>
__global__ void __launch_bounds__(kWarps * 32)
    dequantize_any_kernel(const __grid_constant__ FragmentView weight, const __grid_constant__ lk_matrix y) {
    LK_SHARED(ValueTable, table);
    stage_values(table, weight);
    block_sync();
    with_arrangement(weight, [&]<Arrangement A, Scaling S>() {
        decode_runs<A, S>(weight, {weight.codec.scale_kind}, table,
                          [&](int64_t row, uint32_t k, const float(&values)[8]) {
                              store_elements(weight, row_of<T>(y, row), k, values);
                          });
    });
}

// Eight weights of a row a thread.
template <class T>
__global__ void __launch_bounds__(kWarps * 32)
    dequantize_raw_kernel(const __grid_constant__ FragmentView weight, const __grid_constant__ lk_matrix y) {
    const int64_t runs_of_row = divide_up(y.columns, 8);
    for (int64_t run = int64_t(blockIdx.x) * (kWarps * 32) + threadIdx.x; run < runs_of_row * y.rows;
         run += int64_t(gridDim.x) * (kWarps * 32)) {
        const int64_t row = run / runs_of_row, k = run % runs_of_row * 8;
        const int count = y.columns - k < 8 ? int(y.columns - k) : 8;
        float values[8];
        decode_raw(weight, row, k, count, values);
#pragma unroll
        for (int i = 0; i < 8; ++i) {
            if (i < count) store_rounded(row_of<T>(y, row) + k + i, values[i]);
        }
    }
}

using Kernel = void (*)(FragmentView, lk_matrix);

template <class T, Arrangement A, Scaling S, ScaleKind... Kinds>
Kernel kernel_of(ScaleKind kind) {
    Kernel kernel = nullptr;
    ((kernel = kind == Kinds ? dequantize_kernel<T, A, S, Kinds> : kernel), ...);
    return kernel;
}

// NULL where there is none for the weight's kinds and sizes.
template <class T>
Kernel kernel_of(const FragmentView& weight) {
    const Codec& codec = weight.codec;
    if (codec.value_kind != ValueKind::affine && weight.group_shift < 0) return nullptr;
    if (codec.scale_kind == ScaleKind::nested && weight.outer_shift < 0) return nullptr;
    if (codec.has_zero_units()) return nullptr;
    switch (codec.value_kind) {
        case ValueKind::affine:
            return kernel_of<T, Arrangement::nibbles, Scaling::of_row, ScaleKind::f16, ScaleKind::bf16, ScaleKind::f32,
                             ScaleKind::k_quant>(codec.scale_kind);
        case ValueKind::table:
            if (codec.groups_straddle_rows) {
                return kernel_of<T, Arrangement::pairs, Scaling::across_rows, ScaleKind::f32, ScaleKind::nested>(
                    codec.scale_kind);
            }
            return kernel_of<T, Arrangement::pairs, Scaling::of_row, ScaleKind::f16, ScaleKind::f32, ScaleKind::nested>(
                codec.scale_kind);
        case ValueKind::e2m1:
            break;
    }
    return kernel_of<T, Arrangement::e2m1, Scaling::of_row, ScaleKind::e8m0, ScaleKind::e4m3>(codec.scale_kind);
}

bool runs_are_whole(const FragmentView& weight, const lk_matrix& y) {
    return weight.order == nullptr && y.columns % 8 == 0 && reinterpret_cast<uintptr_t>(y.data) % 16 == 0 &&
           y.row_stride * size_of(y.dtype) % 16 == 0;
}

}  // namespace

void dequantize(const Stream& stream, const FragmentView& weight, const lk_matrix& y) {
    if (weight.codec.is_raw()) {
        const int64_t runs = y.rows * divide_up(y.columns, 8);
        const LaunchConfig config{
            .grid = grid_size(divide_up(runs, kWarps * 32)), .block = kWarps * 32, .stream = stream.handle()};
        return with_dtype(y.dtype, [&]<class T>(T*) { launch(dequantize_raw_kernel<T>, config, weight, y); });
    }
    const int64_t items = weight.layout.panels() * divide_up(weight.layout.blocks(), kStripBlocks);
    const LaunchConfig config{
        .grid = grid_size(divide_up(items, kWarps)), .block = kWarps * 32, .stream = stream.handle()};
    with_dtype(y.dtype, [&]<class T>(T*) {
        const Kernel kernel = runs_are_whole(weight, y) ? kernel_of<T>(weight) : nullptr;
        launch(kernel == nullptr ? dequantize_any_kernel<T> : kernel, config, weight, y);
    });
}

}  // namespace lk::cuda
