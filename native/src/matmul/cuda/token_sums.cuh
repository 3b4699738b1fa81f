// Sums of the tokens' elements over each interval, in shared memory: what corrections multiply. They are computed while
// the first codes are on their way, so that the main loop neither multiplies by ones nor holds them in registers.
#pragma once

#include "matmul/cuda/interval.cuh"
#include "platform/cuda/packed.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::cuda {

// Writes what Correction C wants of intervals, see token_sum_floats(). All lanes of the warp call it.
template <class Values, class T, Correction C>
class TokenSums {
  public:
    static constexpr int kFloats = token_sum_floats(C);

    // `out`: of the first interval. `zero`: of Correction::constant.
    __device__ __forceinline__ TokenSums(float* out, int zero) : out_(out + own_float()), zero_(zero) {}

    // The place of a lane's floats in those of an interval.
    __device__ __forceinline__ static int own_float() { return int(lane_id()) % 4 * (kFloats / 4); }

    // Of so many intervals of Blocks k-blocks, and of the single k-blocks behind them. `tokens`: of the first block, at
    // the lane's token and k.
    template <int Blocks>
    __device__ __forceinline__ void stage(int intervals, int last_blocks, const uint4* tokens) const {
#pragma unroll 1
        for (int i = 0; i < intervals; ++i, tokens += Blocks * kBlockVectors) stage_interval<Blocks>(i, tokens);
#pragma unroll 1
        for (int i = 0; i < last_blocks; ++i, tokens += kBlockVectors) stage_interval<1>(intervals + i, tokens);
    }

  private:
    template <int Blocks>
    __device__ __forceinline__ void stage_interval(int interval, const uint4* tokens) const {
        uint32_t ones[4];
#pragma unroll
        for (uint32_t& pair : ones) pair = pack2<T>(1.0f, 1.0f);
        float sums[4] = {};
#pragma unroll
        for (int block = 0; block < Blocks; ++block) {
            const uint4 present = tokens[block * kBlockVectors];
#pragma unroll
            for (int step = 0; step < 2; ++step) {
                uint32_t b[2];
                step_of(present, step, b);
                mma_m16n8k16<T>(sums, ones, b, sums);
            }
        }
        // All rows of the result are the same: one lane for each pair of tokens.
        if (lane_id() >= 4) return;
        float* const place = out_ + interval * kFloats;
        if constexpr (C == Correction::constant) {
            const float factor = -float(zero_ + Values::kExcess);
            place[0] = sums[0] * (factor / Values::kLowerFactor);
            place[1] = sums[1] * (factor / Values::kLowerFactor);
            place[2] = sums[0] * (factor / Values::kUpperFactor);
            place[3] = sums[1] * (factor / Values::kUpperFactor);
        } else {
            place[0] = sums[0];
            place[1] = sums[1];
        }
    }

    float* const out_;
    const int zero_;
};

}  // namespace lk::cuda
