// The inner part of the batch kernels: k-blocks of a warp's panel times its tokens.
#pragma once

#include "matmul/cuda/batch_codec.cuh"
#include "matmul/cuda/batch_scales.cuh"
#include "matmul/cuda/batch_stages.cuh"
#include "platform/cuda/mma.cuh"

namespace lk::cuda {

// Sums of a lane: [tile of 8 tokens][tile of 16 rows][register of mma's result]. Registers 0 and 1 are row g of the
// rows' tile and tokens 2t, 2t + 1 of the tokens' tile, 2 and 3 are row g + 8.
template <class Shape>
using TileSums = float[Shape::kColumnTiles][2][4];

template <class Shape, class Body>
__device__ __forceinline__ void for_each_sum(TileSums<Shape>& sums, const Body& body) {
#pragma unroll
    for (int column = 0; column < Shape::kColumnTiles; ++column) {
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
            for (int i = 0; i < 4; ++i) body(sums[column][tile][i]);
        }
    }
}

template <BatchCodec Codec, class T, class Shape>
class WarpProduct {
  public:
    // k from the slice's first block on.
    __device__ __forceinline__ WarpProduct(const BatchWeight& weight, const GroupSlots<Shape>& slots,
                                           const uint32_t* pairs, int first_block)
        : slots_(slots),
          pairs_(pairs),
          group_blocks_(weight.group_blocks),
          group_(first_block / weight.group_blocks),
          left_(group_blocks_ - first_block % weight.group_blocks),
          panel_(int(threadIdx.x) / 32 % Shape::kPanels),
          first_token_(int(threadIdx.x) / 32 / Shape::kPanels * Shape::kColumnTiles * 8) {}

    // totals += the stage's products. Sums of mma end, and are multiplied by the group's scale, at the end of each
    // group and of each record, whatever the tile: an element's sum has one order.
    __device__ __forceinline__ void add(const Stage<Shape>& stage, int first_block, int blocks,
                                        TileSums<Shape>& totals) {
#pragma unroll
        for (int i = 0; i < Shape::kBlocks; ++i) {
            const int block = first_block + i;
            if (block >= blocks) break;
            if (begins_) {
                begin_sums();
                multiply<true>(stage, i);
            } else {
                multiply<false>(stage, i);
            }
            --left_;
            begins_ = left_ == 0 || block % kRecordBlocks == kRecordBlocks - 1 || block == blocks - 1;
            if (begins_) promote(totals);
            if (left_ == 0) {
                ++group_;
                left_ = group_blocks_;
            }
        }
    }

  private:
    static constexpr int kRecordBlocks = FragmentLayout::kRecordDepth / FragmentLayout::kBlockDepth;

    __device__ __forceinline__ const uint4& rows_of(const uint4 (&slots)[Shape::kGroupSlots][32], int group) const {
        return slots[group % Shape::kGroupSlots][row_place<Codec>(panel_ * 8 + int(lane_id()) / 4, group)];
    }

    // A group's sums may begin several times: in each of its records.
    __device__ __forceinline__ void begin_sums() {
        if constexpr (Codec == BatchCodec::affine) {
            const uint4 offsets = rows_of(slots_.offsets, group_);
            row_offsets_[0] = offsets.x;
            row_offsets_[1] = offsets.y;
            row_offsets_[2] = offsets.z;
            row_offsets_[3] = offsets.w;
        }
    }

    __device__ __forceinline__ void fragment(uint32_t word, int tile, const uint32_t (&scales)[4],
                                             uint32_t (&a)[4]) const {
        if constexpr (Codec == BatchCodec::affine) {
            affine_fragment<T>(word, row_offsets_[2 * tile], row_offsets_[2 * tile + 1], a);
        } else if constexpr (Codec == BatchCodec::affine_minimum) {
            affine_fragment<T>(word, affine_offset<T>(0, false), affine_offset<T>(0, true), a);
        } else if constexpr (Codec == BatchCodec::table) {
            table_fragment(word, pairs_, a);
        } else if constexpr (Codec == BatchCodec::e2m1) {
            E2m1Values<T>::fragment(word, {}, a);
        } else {
            E2m1Values<T>::placed(word, a);
#pragma unroll
            for (int r = 0; r < 4; ++r) a[r] = mul2<T>(a[r], scales[2 * tile + r % 2]);
        }
    }

    template <bool Begins>
    __device__ __forceinline__ void multiply(const Stage<Shape>& stage, int i) {
        const int lane = int(lane_id());
        const uint4 codes = stage.codes[i][panel_][lane];
        const uint32_t words[4] = {codes.x, codes.y, codes.z, codes.w};
        uint32_t scales[4] = {};
        if constexpr (Codec == BatchCodec::e2m1_scaled) {
            // A k-block has two groups: of its first 16 k, which lanes with t = 0, 1 hold, and of its last.
            const uint4 pairs = rows_of(slots_.scales, 2 * group_ + lane % 4 / 2);
            scales[0] = pairs.x;
            scales[1] = pairs.y;
            scales[2] = pairs.z;
            scales[3] = pairs.w;
        }
        uint32_t a[2][2][4];
#pragma unroll
        for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
            for (int step = 0; step < 2; ++step) fragment(words[2 * tile + step], tile, scales, a[tile][step]);
        }
        constexpr float kZero[4] = {};
        constexpr uint32_t kOne = std::is_same_v<T, Half> ? 0x3c003c00u : 0x3f803f80u;
        constexpr uint32_t kOnes[4] = {kOne, kOne, kOne, kOne};
        // A step of each half of the k-block.
        const auto multiply_add = [&](const uint32_t(&first)[4], const uint32_t(&second)[4], const uint32_t(&b)[2][2],
                                      float(&sums)[4]) {
            if constexpr (Begins) {
                mma_m16n8k16<T>(sums, first, b[0], kZero);
            } else {
                mma_m16n8k16<T>(sums, first, b[0], sums);
            }
            mma_m16n8k16<T>(sums, second, b[1], sums);
        };
#pragma unroll
        for (int column = 0; column < Shape::kColumnTiles; ++column) {
            const uint4 elements = stage.tokens[i][first_token_ + column * 8 + lane / 4][lane % 4];
            const uint32_t b[2][2] = {{elements.x, elements.y}, {elements.z, elements.w}};
#pragma unroll
            for (int tile = 0; tile < 2; ++tile) multiply_add(a[tile][0], a[tile][1], b, sums_[column][tile]);
            if constexpr (Codec == BatchCodec::affine_minimum) multiply_add(kOnes, kOnes, b, token_sums_[column]);
        }
    }

    __device__ __forceinline__ void promote(TileSums<Shape>& totals) const {
        float scales[4] = {1, 1, 1, 1};
        float minimums[4] = {};
        if constexpr (Codec != BatchCodec::e2m1_scaled) {
            const uint4 bits = rows_of(slots_.scales, group_);
            scales[0] = bits_float(bits.x);
            scales[1] = bits_float(bits.y);
            scales[2] = bits_float(bits.z);
            scales[3] = bits_float(bits.w);
        }
        if constexpr (Codec == BatchCodec::affine_minimum) {
            const uint4 bits = rows_of(slots_.offsets, group_);
            minimums[0] = bits_float(bits.x);
            minimums[1] = bits_float(bits.y);
            minimums[2] = bits_float(bits.z);
            minimums[3] = bits_float(bits.w);
        }
#pragma unroll
        for (int column = 0; column < Shape::kColumnTiles; ++column) {
#pragma unroll
            for (int tile = 0; tile < 2; ++tile) {
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    float& total = totals[column][tile][i];
                    total = fma_rn(scales[2 * tile + i / 2], sums_[column][tile][i], total);
                    if constexpr (Codec == BatchCodec::affine_minimum) {
                        total = fma_rn(minimums[2 * tile + i / 2], token_sums_[column][i % 2], total);
                    }
                }
            }
        }
    }

    const GroupSlots<Shape>& slots_;
    const uint32_t* const pairs_;
    const int group_blocks_;
    int group_;  // of the next k-block; for groups of 16: the k-block
    int left_;   // k-blocks of the group
    const int panel_;
    const int first_token_;
    bool begins_ = true;
    uint32_t row_offsets_[4] = {};
    TileSums<Shape> sums_ = {};
    float token_sums_[Codec == BatchCodec::affine_minimum ? Shape::kColumnTiles : 1][4] = {};
};

}  // namespace lk::cuda
