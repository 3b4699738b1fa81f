// The ring of stages: codes of W and elements of x, copied several stages ahead of their use.
#pragma once

#include "matmul/cuda/arguments.h"
#include "matmul/cuda/batch_shape.h"
#include "matmul/cuda/batch_weight.h"
#include "platform/cuda/async_copy.cuh"

namespace lk::cuda {

// Elements of x lie in rows of 64 bytes, those of one k-block: eight lanes that read 16 bytes each, of two tokens, then
// read 128 bytes that lie together.
template <class Shape>
struct Stage {
    uint4 codes[Shape::kBlocks][Shape::kPanels][32];
    uint4 tokens[Shape::kBlocks][Shape::kTokens][4];
};

// What a thread copies of every stage of a tile.
template <class Shape>
class StageCopier {
  public:
    __device__ __forceinline__ StageCopier(const FragmentView& view, const BatchWeight& weight, const Tokens& tokens,
                                           int first_panel, int first_token)
        : blocks_(weight.blocks), pass_bytes_(tokens.row_bytes * kTokensOfPass) {
        const int thread = int(threadIdx.x);
        const int panel = first_panel + thread / 32 % Shape::kPanels;
        has_panel_ = panel < weight.panels;
        codes_ = reinterpret_cast<const uint4*>(view.codes) + thread % 32;
        if (has_panel_) codes_ += int64_t(panel) * weight.blocks * kBlockVectors;
        const int token = first_token + thread / kChunks % Shape::kTokens;
        tokens_left_ = tokens.count - token;
        tokens_ = static_cast<const char*>(tokens.data) + thread % kChunks * kChunkBytes;
        if (tokens_left_ > 0) tokens_ += token * tokens.row_bytes;
    }

    // Starts the copies of the stage whose first k-block this is. What lies behind the last token, panel or block is 0.
    __device__ __forceinline__ void start(Stage<Shape>& stage, int first_block) const {
        constexpr int kThreads = Shape::kThreads;
        const int thread = int(threadIdx.x);
        uint4* const codes = &stage.codes[0][0][0];
        constexpr int kCodesAtOnce = kThreads / 32 / Shape::kPanels;  // k-blocks
#pragma unroll
        for (int i = 0; i < Shape::kBlocks / kCodesAtOnce; ++i) {
            const int block = first_block + i * kCodesAtOnce + thread / 32 / Shape::kPanels;
            const bool exists = has_panel_ && block < blocks_;
            const uint4* const source = exists ? codes_ + int64_t(block) * kBlockVectors : codes_;
            // Of more tokens there are several tiles, and rows of W are to stay in L2 until all have had them.
            if constexpr (Shape::kTokens <= 32) {
                cp_async_zero_fill<16>(codes + i * kThreads + thread, source, exists ? 16 : 0, evict_first());
            } else {
                cp_async_zero_fill<16>(codes + i * kThreads + thread, source, exists ? 16 : 0);
            }
        }
        uint4* const tokens = &stage.tokens[0][0][0];
#pragma unroll
        for (int i = 0; i < Shape::kBlocks * Shape::kTokens * kChunks / kThreads; ++i) {
            const int pass = i % kPasses;
            const int block = first_block + i / kPasses + thread / kChunks / Shape::kTokens;
            const bool exists = pass * kTokensOfPass < tokens_left_ && block < blocks_;
            const char* const source =
                exists ? tokens_ + pass * pass_bytes_ + int64_t(block) * (kChunks * kChunkBytes) : tokens_;
            cp_async_zero_fill<16>(tokens + i * kThreads + thread, source, exists ? 16 : 0);
        }
    }

  private:
    static constexpr int kBlockVectors = FragmentLayout::kBlockBytes / 16;
    static constexpr int kChunkBytes = 16;
    static constexpr int kChunks = FragmentLayout::kBlockDepth * 2 / kChunkBytes;  // of a token, in a k-block
    // The threads go through a k-block's tokens in passes, or through several k-blocks at once.
    static constexpr int kTokensOfPass = Shape::kThreads / kChunks;
    static constexpr int kPasses = Shape::kTokens < kTokensOfPass ? 1 : Shape::kTokens / kTokensOfPass;

    const uint4* codes_;
    const char* tokens_;
    int blocks_;
    int tokens_left_;
    bool has_panel_;
    int64_t pass_bytes_;
};

}  // namespace lk::cuda
