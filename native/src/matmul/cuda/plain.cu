// A block of four warps computes 128 rows of W, a panel a warp, times 64 or 8
// tokens. A thread has four rows and up to 16 tokens, those that it would have
// in mma's accumulators, so that the epilogue is the one of tensor cores. x and
// W pass through shared memory as fp32, a k-block at a time.
#include <algorithm>

#include "core/dtype.h"
#include "lora/cuda/epilogue.cuh"
#include "matmul/cuda/epilogue.cuh"
#include "matmul/cuda/grid_size.h"
#include "matmul/cuda/plain.h"
#include "packing/cuda/decode.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/grid.cuh"
#include "platform/cuda/launch.h"

namespace lk::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kDepth = FragmentLayout::kBlockDepth;
constexpr int kTileRows = kWarps * FragmentLayout::kRows;
constexpr int kColumnTokens = 8;
// k-blocks between promotions of the sums: 128 k.
constexpr int kPromotedBlocks = FragmentLayout::kRecordDepth / kDepth;
// Fewer are not worth a slice.
constexpr int64_t kSliceBlocks = 16;

struct PlainArguments {
    MatmulArguments matmul;
    float4* sums;        // [tile][slice][vector][thread]
    uint32_t* arrivals;  // of each tile
    uint32_t slices;
    uint32_t slice_blocks;  // of every slice but the last
    bool aligned;           // rows of x begin where four elements can be loaded at once,
                            // and k is in order
};

// What a kernel has code for.
enum class PlainWeights : uint8_t {
    any,
    across_rows,  // groups run across rows: most of what tensor-core kernels leave of 16-bit activations
    raw,
};

template <int ColumnTiles>
struct PlainShared {
    // Four rows of a lane side by side. Lane rows are permuted by k, so that
    // stores of a warp meet no bank twice.
    float4 weights[kWarps][kDepth][8];
    // [k][t][column tile][token 2t, 2t + 1]: a thread's tokens side by side.
    float tokens[kDepth][4][ColumnTiles][2];
    ValueTable values;
    UpdateStaging updates[kWarps];
    bool is_last;
};

// Sums of a thread are arrays [column tile][row / 16][i] as in mma's
// accumulators.
template <int ColumnTiles>
__device__ __forceinline__ void clear(float (&sums)[ColumnTiles][2][4]) {
#pragma unroll
    for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
        for (int i = 0; i < 8; ++i) sums[c][i / 4][i % 4] = 0;
    }
}

// A warp's panel in one k-block.
template <PlainWeights Weights, int ColumnTiles>
__device__ __forceinline__ void stage_weights(const FragmentView& weight, int64_t panel, uint32_t block,
                                              PlainShared<ColumnTiles>& shared) {
    const uint32_t lane = lane_id();
    float4(&out)[kDepth][8] = shared.weights[threadIdx.x / 32];
    float decoded[4][8] = {};
    if constexpr (Weights == PlainWeights::raw) {
        const int64_t k = int64_t(block) * kDepth + lane % 4 * 8;
        const int64_t left = weight.layout.in_features - k;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int64_t row = panel * FragmentLayout::kRows + lane / 4 + 8 * i;
            if (row < weight.layout.out_features && left > 0) {
                decode_raw(weight, row, k, left < 8 ? int(left) : 8, decoded[i]);
            }
        }
    } else if (panel < weight.layout.panels()) {
        const uint4 codes = load_nc(reinterpret_cast<const uint4*>(weight.codes) +
                                    (panel * weight.layout.blocks() + block) * 32 + lane);
        const auto decode = [&]<Arrangement A, Scaling S>() {
            LaneScales<S> scales;
            scales.load(weight, {weight.codec.scale_kind}, panel, block, lane);
            decode_lane<A, S>(shared.values, scales, codes, decoded);
        };
        if constexpr (Weights == PlainWeights::across_rows) {
            decode.template operator()<Arrangement::pairs, Scaling::across_rows>();
        } else {
            with_arrangement(weight, decode);
        }
    }
    const uint32_t first_k = lane % 4 * 8;
#pragma unroll
    for (uint32_t j = 0; j < 8; ++j) {
        const bool present = int64_t(block) * kDepth + first_k + j < weight.layout.in_features;
        const float4 rows = {decoded[0][j], decoded[1][j], decoded[2][j], decoded[3][j]};
        out[first_k + j][lane / 4 ^ lane % 4 * 2] = present ? rows : float4{0, 0, 0, 0};
    }
}

// Four consecutive k of a row of x, 0 behind its end.
template <class T>
__device__ __forceinline__ void load_four(const PlainArguments& arguments, const T* row, int64_t k, float (&out)[4]) {
    const int64_t in_features = arguments.matmul.x.columns;
    if (arguments.aligned && k + 4 <= in_features) {
        if constexpr (sizeof(T) == sizeof(float)) {
            const float4 four = *reinterpret_cast<const float4*>(row + k);
            out[0] = four.x, out[1] = four.y, out[2] = four.z, out[3] = four.w;
        } else {
            const uint2 four = *reinterpret_cast<const uint2*>(row + k);
            out[0] = low_to_float<T>(four.x), out[1] = high_to_float<T>(four.x);
            out[2] = low_to_float<T>(four.y), out[3] = high_to_float<T>(four.y);
        }
        return;
    }
    const int32_t* const order = arguments.matmul.weight.order;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
        out[j] = 0;
        if (k + j < in_features) out[j] = widen(row[order == nullptr ? k + j : order[k + j]]);
    }
}

template <class T, int ColumnTiles>
__device__ __forceinline__ void stage_tokens(const PlainArguments& arguments, int64_t first_token, int tokens,
                                             int64_t first_k, PlainShared<ColumnTiles>& shared) {
    constexpr int kTokens = ColumnTiles * kColumnTokens;
    for (int i = int(threadIdx.x); i < kTokens * kDepth / 4; i += kThreads) {
        const int token = i % kTokens;
        const int k = i / kTokens * 4;
        float four[4] = {};
        if (token < tokens) {
            load_four(arguments, row_of<const T>(arguments.matmul.x, first_token + token), first_k + k, four);
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) shared.tokens[k + j][token % 8 / 2][token / 8][token % 2] = four[j];
    }
}

template <int ColumnTiles>
__device__ __forceinline__ void multiply(const PlainShared<ColumnTiles>& shared, float (&sums)[ColumnTiles][2][4]) {
    const uint32_t lane = lane_id();
    const float4(&weights)[kDepth][8] = shared.weights[threadIdx.x / 32];
#pragma unroll
    for (uint32_t k = 0; k < kDepth; ++k) {
        const float4 rows = weights[k][lane / 4 ^ k / 8 * 2];
        const float w[4] = {rows.x, rows.y, rows.z, rows.w};
#pragma unroll
        for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
            for (int i = 0; i < 8; ++i) {
                // Row 8 * (i / 2) of the lane, token i % 2.
                float& sum = sums[c][i / 4][i % 4];
                sum = fma_rn(w[i / 2], shared.tokens[k][lane % 4][c][i % 2], sum);
            }
        }
    }
}

// Every block of a tile calls it with the sums of its slice. True in the last
// one to arrive, for which `totals` becomes the sum over all slices in their
// order. The counter is 0 before the first and after the last.
template <int ColumnTiles>
__device__ __forceinline__ bool add_slices(const PlainArguments& arguments, int64_t tile, uint32_t slice,
                                           PlainShared<ColumnTiles>& shared, float (&totals)[ColumnTiles][2][4]) {
    if (arguments.slices == 1) return true;
    constexpr int kVectors = ColumnTiles * 2;
    float4* const first = arguments.sums + tile * arguments.slices * (kVectors * kThreads) + threadIdx.x;
    float4* const own = first + slice * (kVectors * kThreads);
#pragma unroll
    for (int v = 0; v < kVectors; ++v) {
        const float(&four)[4] = totals[v / 2][v % 2];
        own[v * kThreads] = {four[0], four[1], four[2], four[3]};
    }
    block_sync();
    if (threadIdx.x == 0) {
        shared.is_last = atomic_add_acq_rel(arguments.arrivals + tile, 1) == arguments.slices - 1;
        if (shared.is_last) atomic_exchange(arguments.arrivals + tile, 0u);
    }
    block_sync();
    if (!shared.is_last) return false;
    clear<ColumnTiles>(totals);
    for (uint32_t s = 0; s < arguments.slices; ++s) {
#pragma unroll
        for (int v = 0; v < kVectors; ++v) {
            const float4 four = first[(s * kVectors + v) * kThreads];
            float(&to)[4] = totals[v / 2][v % 2];
            to[0] += four.x, to[1] += four.y, to[2] += four.z, to[3] += four.w;
        }
    }
    return true;
}

// Adapters, bias and the one rounding of a warp's part of y.
template <class T, int ColumnTiles>
__device__ __forceinline__ void finish(const MatmulArguments& arguments, int64_t first_row, int64_t first_token,
                                       UpdateStaging& updates, float (&totals)[ColumnTiles][2][4]) {
    const lk_matrix& y = arguments.y;
    if (first_row >= y.columns) return;
    add_adapters_to_tile<sizeof(T) == sizeof(float), ColumnTiles>(arguments.adapters, first_token, y.rows, first_row,
                                                                  updates, totals);
    const uint32_t lane = lane_id();
#pragma unroll
    for (int r = 0; r < 4; ++r) {
        const int64_t n = first_row + lane / 4 + r * 8;
        if (n >= y.columns) break;
        const float bias = bias_at(arguments, n);
#pragma unroll
        for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
            for (int j = 0; j < 2; ++j) {
                const int64_t token = first_token + c * kColumnTokens + lane % 4 * 2 + j;
                if (token >= y.rows) break;
                const T value = finished<T>(arguments, token, n, totals[c][r / 2][r % 2 * 2 + j], bias);
                row_of<T>(y, token)[n] = value;
            }
        }
    }
}

template <class T, int ColumnTiles, PlainWeights Weights>
__global__ void __launch_bounds__(kThreads, 2) plain_kernel(const __grid_constant__ PlainArguments arguments) {
    LK_DYNAMIC_SHARED(PlainShared<ColumnTiles>, shared);
    constexpr int kTokens = ColumnTiles * kColumnTokens;
    const MatmulArguments& matmul = arguments.matmul;
    const FragmentLayout& layout = matmul.weight.layout;
    stage_values(shared->values, matmul.weight);

    const auto row_tiles = uint32_t(divide_up(layout.out_features, kTileRows));
    const uint32_t slice = blockIdx.x % arguments.slices;
    const int64_t tile = blockIdx.x / arguments.slices;
    const int64_t panel = tile % row_tiles * kWarps + threadIdx.x / 32;
    const int64_t first_token = tile / row_tiles * kTokens;
    const int64_t tokens_left = matmul.x.rows - first_token;
    const int tokens = tokens_left < kTokens ? int(tokens_left) : kTokens;

    float sums[ColumnTiles][2][4];
    float totals[ColumnTiles][2][4];
    clear<ColumnTiles>(sums);
    clear<ColumnTiles>(totals);
    const uint32_t begin = slice * arguments.slice_blocks;
    const auto blocks = uint32_t(layout.blocks());
    const uint32_t end = blocks - begin < arguments.slice_blocks ? blocks : begin + arguments.slice_blocks;
    for (uint32_t block = begin; block < end; ++block) {
        block_sync();
        stage_weights<Weights>(matmul.weight, panel, block, *shared);
        stage_tokens<T>(arguments, first_token, tokens, int64_t(block) * kDepth, *shared);
        block_sync();
        multiply(*shared, sums);
        if ((block - begin) % kPromotedBlocks != kPromotedBlocks - 1 && block + 1 < end) continue;
#pragma unroll
        for (int c = 0; c < ColumnTiles; ++c) {
#pragma unroll
            for (int i = 0; i < 8; ++i) totals[c][i / 4][i % 4] += sums[c][i / 4][i % 4];
        }
        clear<ColumnTiles>(sums);
    }
    if (!add_slices(arguments, tile, slice, *shared, totals)) return;
    grid_dependency_wait();
    finish<T>(matmul, panel * FragmentLayout::kRows, first_token, shared->updates[threadIdx.x / 32], totals);
}

template <class T, int ColumnTiles, PlainWeights Weights>
void launch_plain_kernel(const Stream& stream, const PlainArguments& arguments, int64_t tiles, bool programmatic) {
    launch(plain_kernel<T, ColumnTiles, Weights>,
           {.grid = grid_size(tiles * arguments.slices),
            .block = kThreads,
            .shared_bytes = uint32_t(sizeof(PlainShared<ColumnTiles>)),
            .stream = stream.handle(),
            .programmatic = programmatic},
           arguments);
}

template <class T, int ColumnTiles>
void launch_plain(const Stream& stream, const PlainArguments& arguments, int64_t tiles, bool programmatic) {
    if (arguments.matmul.weight.codec.is_raw()) {
        return launch_plain_kernel<T, ColumnTiles, PlainWeights::raw>(stream, arguments, tiles, programmatic);
    }
    if constexpr (sizeof(T) != sizeof(float)) {
        if (arguments.matmul.weight.codec.groups_straddle_rows) {
            return launch_plain_kernel<T, ColumnTiles, PlainWeights::across_rows>(stream, arguments, tiles,
                                                                                  programmatic);
        }
    }
    launch_plain_kernel<T, ColumnTiles, PlainWeights::any>(stream, arguments, tiles, programmatic);
}

// Whole records.
int64_t blocks_of_slice(const FragmentLayout& layout, int64_t slices) {
    return round_up(divide_up(layout.blocks(), slices), kPromotedBlocks);
}

}  // namespace

PlainChoice plain_choice(const FragmentLayout& layout, int64_t tokens, int multiprocessors, bool invariant) {
    const int tile_tokens = tokens <= kColumnTokens && !invariant ? kColumnTokens : 64;
    // Two blocks for each multiprocessor; in the invariant mode for one of a middling size and few tokens.
    constexpr int kMultiprocessors = 64;
    const int64_t wanted = 2 * (invariant ? kMultiprocessors : multiprocessors);
    const int64_t row_tiles = divide_up(layout.out_features, kTileRows);
    const int64_t tiles = invariant ? row_tiles : row_tiles * divide_up(tokens, tile_tokens);
    const int64_t most = std::max<int64_t>(1, layout.blocks() / kSliceBlocks);
    const int64_t slices = std::clamp<int64_t>(divide_up(wanted, std::max<int64_t>(1, tiles)), 1, most);
    const int64_t slice_blocks = std::max<int64_t>(1, blocks_of_slice(layout, slices));
    // None is empty.
    return {tile_tokens, int(std::max<int64_t>(1, divide_up(layout.blocks(), slice_blocks)))};
}

PlainScratch plain_scratch(const FragmentLayout& layout, int64_t tokens, const PlainChoice& choice) {
    if (choice.slices == 1) return {0, 0};
    const int64_t tiles = divide_up(layout.out_features, kTileRows) * divide_up(tokens, choice.tokens);
    return {tiles * choice.slices * kTileRows * choice.tokens, tiles};
}

void plain(const Stream& stream, const MatmulArguments& matmul, const PlainChoice& choice, float4* sums,
           uint32_t* arrivals, bool programmatic) {
    const FragmentLayout& layout = matmul.weight.layout;
    const int64_t tiles = divide_up(layout.out_features, kTileRows) * divide_up(matmul.x.rows, choice.tokens);
    if (tiles == 0) return;
    const int64_t vector_bytes = 4 * size_of(matmul.x.dtype);
    const bool aligned = matmul.weight.order == nullptr &&
                         reinterpret_cast<uintptr_t>(matmul.x.data) % uint64_t(vector_bytes) == 0 &&
                         matmul.x.row_stride % 4 == 0;
    const PlainArguments arguments{
        matmul, sums, arrivals, uint32_t(choice.slices), uint32_t(blocks_of_slice(layout, choice.slices)), aligned};
    with_dtype(matmul.x.dtype, [&]<class T>(T*) {
        if (choice.tokens == kColumnTokens) {
            launch_plain<T, 1>(stream, arguments, tiles, programmatic);
        } else {
            launch_plain<T, 64 / kColumnTokens>(stream, arguments, tiles, programmatic);
        }
    });
}

}  // namespace lk::cuda
