// y = x * W^T for up to eight tokens: W is streamed once, at the speed of memory.
//
// A block computes a panel of W, its warps split K. They keep records under way in registers, 64 KiB in a
// multiprocessor from sm_90 on and 48 KiB below; a warp's scales and tokens lie in shared memory, which it fills
// itself, and no block waits for another. (Tokens from global memory would share a scoreboard with the codes: waiting
// for them would wait for the codes of the records ahead as well.) Sums of the warps meet in shared memory and are
// added in the order of K.
#pragma once

#include "lora/cuda/epilogue.cuh"
#include "matmul/cuda/decode_block.h"
#include "matmul/cuda/epilogue.cuh"
#include "matmul/cuda/interval.cuh"
#include "matmul/cuda/scale_staging.cuh"
#include "matmul/cuda/token_sums.cuh"
#include "platform/cuda/async_copy.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/grid.cuh"

namespace lk::cuda {

template <class T>
__device__ __forceinline__ void fill_pair_table(const FragmentView& weight, char* table) {
    // Two entries in one store of a lane would conflict; a warp writes the copies of one entry.
    for (int entry = int(threadIdx.x) / 32; entry < PairTable::kEntries; entry += int(blockDim.x) / 32) {
        const float* const values = weight.codec.values;
        const uint32_t pair = pack2<T>(values[entry & 15], values[entry >> 4]);
        reinterpret_cast<uint32_t*>(table)[entry * PairTable::kRowWords + int(lane_id())] = pair;
    }
}

// Begins to bring the tokens' k-blocks [first, end) to shared memory.
__device__ __forceinline__ void stage_tokens(const Tokens& tokens, int first, int end, int row_bytes, char* staged) {
    const int vectors = (end - first) * kBlockVectors;
    for (int token = 0; token < tokens.count; ++token) {
        const auto* const from =
            reinterpret_cast<const uint4*>(static_cast<const char*>(tokens.data) + token * tokens.row_bytes) +
            first * kBlockVectors;
        auto* const to = reinterpret_cast<uint4*>(staged + token * row_bytes) + first * kBlockVectors;
        for (int i = int(lane_id()); i < vectors; i += 32) cp_async<16>(to + i, from + i);
    }
    cp_async_commit();
}

// A warp's way through the records [first, end) of a panel.
template <class Values, class T, Correction C, int Depth>
class DecodeStream {
  public:
    // Records under way, 2 KiB each: with a third ptxas runs out of registers. Below sm_90 it gives the loads of all
    // records one scoreboard, so that waiting for the first is waiting for the last: one is as good there.
    static constexpr int kAhead = LK_HAS_BULK_COPY ? 2 : 1;
    static constexpr int kBlocks = FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth;
    static constexpr int kIntervals = FragmentLayout::kRecordDepth / Depth;

    __device__ __forceinline__ DecodeStream(const MatmulArguments& arguments, int64_t panel, int first, int end)
        : left_(end - first) {
        const FragmentLayout& layout = arguments.weight.layout;
        const int lane = int(lane_id());
        words_ = reinterpret_cast<const uint4*>(arguments.weight.codes) +
                 (panel * layout.blocks() + int64_t(first) * kBlocks) * 32 + lane;
#pragma unroll
        for (int ahead = 0; ahead < kAhead; ++ahead) {
            if (ahead >= left_) break;
#pragma unroll
            for (int block = 0; block < kBlocks; ++block) {
                codes_[ahead][block] = load_nc(words_ + (ahead * kBlocks + block) * 32);
            }
        }
    }

    // `scales` and `sums`: of the first record's first interval, at the lane's rows and tokens. `tokens`: of the first
    // record's first block, at the lane's token and k. They are left behind the last record's.
    __device__ __forceinline__ void add(const float4*& scales, const float*& sums, const uint4*& tokens,
                                        uint32_t lane_offset, LaneSums& totals) {
        for (; left_ > 0; left_ -= kAhead) {
#pragma unroll
            for (int ahead = 0; ahead < kAhead; ++ahead) {
                if (ahead > 0 && ahead >= left_) break;
                add_record(codes_[ahead], ahead + kAhead < left_, scales, sums, tokens, lane_offset, totals);
                scales += kIntervals * kFloat4s;
                sums += kIntervals * kSumFloats;
                tokens += kBlocks * kBlockVectors;
                words_ += kBlocks * 32;
            }
        }
    }

  private:
    static constexpr int kFloat4s = interval_floats(C) / 4;
    static constexpr int kSumFloats = token_sum_floats(C);

    // And loads the record that takes the codes' place, if there is one, block by block: as much is always under way.
    __device__ __forceinline__ void add_record(uint4 (&codes)[kBlocks], bool has_next, const float4* scales,
                                               const float* sums, const uint4* tokens, uint32_t lane_offset,
                                               LaneSums& totals) const {
        const auto load_next = [&](int block) {
            if (has_next) codes[block] = load_nc(words_ + (kAhead * kBlocks + block) * 32);
        };
        if constexpr (Values::kScalesCodes) {
            warp_sync();
            const auto* const own = reinterpret_cast<const uint4*>(scales + int(lane_id()) % 4 / 2 * kFloat4s);
            add_scaled_blocks<Values, T, kBlocks>(codes, tokens, own, totals, load_next);
        } else {
#pragma unroll
            for (int interval = 0; interval < kIntervals; ++interval) {
                // Without it the compiler loads the next tokens early, into registers that there are not.
                constexpr bool kFewRegisters = kAhead == 1 && Depth == 32;
                if (C == Correction::constant || (C == Correction::none && (interval == 0 || kFewRegisters)))
                    warp_sync();
                const int block = interval * (Depth / FragmentLayout::kBlockDepth);
                add_interval<Values, T, C, Depth>(codes + block, tokens + block * kBlockVectors,
                                                  scales + interval * kFloat4s, sums + interval * kSumFloats,
                                                  lane_offset, totals, [&](int i) { load_next(block + i); });
            }
        }
    }

    int left_;
    const uint4* words_;  // of the present record
    uint4 codes_[kAhead][kBlocks];
};

// The k-blocks behind the last whole record, one at a time. All pointers are to what belongs to the first of them.
template <class Values, class T, Correction C, int Depth>
__device__ __forceinline__ void add_last_blocks(const MatmulArguments& arguments, int64_t panel, const float4* scales,
                                                const float* sums, const uint4* staged, uint32_t lane_offset,
                                                LaneSums& totals) {
    constexpr int kBlockDepth = FragmentLayout::kBlockDepth;
    constexpr int kFloat4s = interval_floats(C) / 4;
    const FragmentLayout& layout = arguments.weight.layout;
    const int lane = int(lane_id());
    const int first = int(layout.in_features / FragmentLayout::kRecordDepth) * 4;
    const int count = int(layout.blocks()) - first;
#pragma unroll 1
    for (int block = 0; block < count; ++block) {
        const uint4 codes = load_nc(reinterpret_cast<const uint4*>(arguments.weight.codes) +
                                    (panel * layout.blocks() + first + block) * 32 + lane);
        if constexpr (Values::kScalesCodes) {
            // Behind the last group all tokens are 0, whatever the scale.
            const int group = 2 * block + lane % 4 / 2;
            const int groups = int(divide_up(layout.in_features, Depth)) - first * kBlockDepth / Depth;
            const float4* const own = scales + (group < groups ? group : groups - 1) * kFloat4s;
            add_scaled_blocks<Values, T, 1>(&codes, staged, reinterpret_cast<const uint4*>(own), totals, [](int) {});
        } else {
            const float4* const own = scales + block * kBlockDepth / Depth * kFloat4s;
            add_interval<Values, T, C, kBlockDepth>(&codes, staged, own, sums, lane_offset, totals, [](int) {});
        }
        staged += kBlockVectors;
        sums += token_sum_floats(C);
    }
}

// sums += what adapters add to them: each warp takes the adapters of which a token is the first, and every other 16
// ranks of them.
__device__ __forceinline__ void add_shared_adapters(const MatmulArguments& arguments, int64_t panel,
                                                    UpdateStaging* staging, float (&sums)[1][2][4]) {
    const int warp = int(threadIdx.x) / 32;
    const UpdateShare share{1u << (warp % kDecodeTokens), warp / kDecodeTokens * kUpdateRanks,
                            kDecodeAdapterWarps / kDecodeTokens * kUpdateRanks};
    add_adapters_to_tile<false, 1>(arguments.adapters, 0, arguments.tokens.count, panel * FragmentLayout::kRows,
                                   staging[warp], sums, share);
}

template <class Values, class T, Correction C, int Depth>
__global__ void __launch_bounds__((LK_HAS_BULK_COPY ? decode_warps(90) : kMostDecodeWarps) * 32, 1)
    decode_kernel(const __grid_constant__ MatmulArguments arguments) {
    LK_DYNAMIC_SHARED(char, shared);
    const FragmentView& weight = arguments.weight;
    const FragmentLayout& layout = weight.layout;
    const int lane = int(lane_id());
    const int warp = int(threadIdx.x) / 32;
    const int warps = int(blockDim.x) / 32;
    const int64_t panel = blockIdx.x;
    const auto records = int(layout.in_features / FragmentLayout::kRecordDepth);
    const int first = records * warp / warps;
    const int end = records * (warp + 1) / warps;
    const bool has_last_blocks = warp == warps - 1 && layout.in_features % FragmentLayout::kRecordDepth != 0;
    DecodeStream<Values, T, C, Depth> stream(arguments, panel, first, end);

    char* const staged = shared + (Values::kHasTable ? PairTable::kEnd : 0);
    const int row_bytes = int(decode_token_bytes(layout));
    constexpr int kRecordBlocks = FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth;
    stage_tokens(arguments.tokens, first * kRecordBlocks, has_last_blocks ? int(layout.blocks()) : end * kRecordBlocks,
                 row_bytes, staged);
    float* const scales = reinterpret_cast<float*>(staged + arguments.tokens.count * row_bytes);
    constexpr int kIntervals = FragmentLayout::kRecordDepth / Depth;
    const int end_interval = has_last_blocks ? int(divide_up(layout.in_features, Depth)) : end * kIntervals;
    ScaleStaging<Values, T, C, Depth>(weight, panel, scales)
        .stage(first * kIntervals, end_interval - first * kIntervals);
    cp_async_wait<0>();
    const int token = lane / 4 < arguments.tokens.count ? lane / 4 : arguments.tokens.count - 1;
    const auto* own_tokens =
        reinterpret_cast<const uint4*>(staged + token * row_bytes) + lane % 4 + first * kRecordBlocks * kBlockVectors;
    const float* own_sums = nullptr;
    if constexpr (C != Correction::none) {
        warp_sync();
        float* const sums = scales + divide_up(layout.in_features, Depth) * interval_floats(C) +
                            first * kIntervals * token_sum_floats(C);
        const TokenSums<Values, T, C> staging(sums, weight.codec.affine_zero);
        staging.template stage<Depth / FragmentLayout::kBlockDepth>(
            (end - first) * kIntervals, has_last_blocks ? int(layout.blocks()) - end * kRecordBlocks : 0, own_tokens);
        own_sums = sums + staging.own_float();
    }
    if constexpr (Values::kHasTable) {
        fill_pair_table<T>(weight, shared_at<PairTable::kAddress>(shared));
        block_sync();
    } else {
        warp_sync();
    }

    const auto lane_offset = uint32_t(lane) * 4;
    const auto* own_scales =
        reinterpret_cast<const float4*>(scales) + first * kIntervals * (interval_floats(C) / 4) + lane / 4;
    LaneSums totals = {};
    stream.add(own_scales, own_sums, own_tokens, lane_offset, totals);
    if (has_last_blocks) {
        add_last_blocks<Values, T, C, Depth>(arguments, panel, own_scales, own_sums, own_tokens, lane_offset, totals);
    }

    // Table and scales are read no more.
    block_sync();
    const float tensor = Values::kScalesCodes ? tensor_factor(weight.codec) : 1.0f;
    float sums[1][2][4];
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            sums[0][tile][i] = totals[tile][i] * (i < 2 ? Values::kLowerFactor : Values::kUpperFactor) * tensor;
        }
    }
    grid_dependency_wait();
    if (arguments.adapters.plan.counts != nullptr) {
        if (warp < kDecodeAdapterWarps) {
            add_shared_adapters(arguments, panel, reinterpret_cast<UpdateStaging*>(shared), sums);
        }
        block_sync();
    }
    auto* const meeting = reinterpret_cast<DecodeSums*>(shared);
#pragma unroll
    for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            meeting[warp].values[lane % 4 * 2 + i % 2][16 * tile + lane / 4 + i / 2 * 8] = sums[0][tile][i];
        }
    }
    block_sync();
    const int own_token = warp;
    const int64_t n = panel * FragmentLayout::kRows + lane;
    if (own_token >= arguments.tokens.count || n >= layout.out_features) return;
    float total = 0;
#pragma unroll 8
    for (int w = 0; w < warps; ++w) total += meeting[w].values[own_token][lane];
    const T rounded = finished<T>(arguments, own_token, n, total, bias_at(arguments, n));
    row_of<T>(arguments.y, own_token)[n] = rounded;
}

}  // namespace lk::cuda
