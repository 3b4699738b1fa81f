// The arithmetic of one wgmma for one of its four warps: 16 rows of A, all columns of B.
#include <algorithm>
#include <cstring>

#include "platform/cuda_emulated/tensor_core.h"
#include "platform/cuda_emulated/wgmma_state.h"

namespace lk::emulated {
namespace {

constexpr uint32_t tile_columns = 8;

void load_a(const Block& block, const Warp& warp, const WgmmaOperation& operation, uint16_t (&a)[16][16]) {
    if (!operation.signature.a_in_registers) {
        const uint32_t first = warp.number % warps_per_group * 16;
        visit_operand(operation.signature.a_descriptor, first, 16, [&](uint32_t row, uint32_t chunk, uint32_t address) {
            std::memcpy(&a[row - first][chunk * 8], block.shared + address, 16);
        });
        return;
    }
    for (uint32_t lane = 0; lane < warp_size; ++lane) {
        const uint32_t g = lane / 4;
        const uint32_t t = lane % 4;
        const auto& registers = operation.a[lane];
        std::memcpy(&a[g][2 * t], &registers[0], 4);
        std::memcpy(&a[g + 8][2 * t], &registers[1], 4);
        std::memcpy(&a[g][2 * t + 8], &registers[2], 4);
        std::memcpy(&a[g + 8][2 * t + 8], &registers[3], 4);
    }
}

}  // namespace

void compute(const Block& block, const Warp& warp, const WgmmaOperation& operation, Accumulators& accumulators) {
    const WgmmaSignature& signature = operation.signature;
    const auto columns = uint32_t(signature.columns);
    const uint32_t per_lane = columns / 2;
    uint16_t a[16][16];
    load_a(block, warp, operation, a);
    if (!signature.accumulate) std::fill(accumulators.values.begin(), accumulators.values.end(), 0.0f);
    for (uint32_t tile = 0; tile < columns / tile_columns; ++tile) {
        const uint32_t first = tile * tile_columns;
        uint16_t b[tile_columns][16];
        visit_operand(signature.b_descriptor, first, tile_columns, [&](uint32_t row, uint32_t chunk, uint32_t address) {
            std::memcpy(&b[row - first][chunk * 8], block.shared + address, 16);
        });
        float d[16][8];
        // Lane 4g + t holds rows g and g + 8 of columns 2t and 2t + 1 in four values a tile.
        const auto exchange = [&](bool store) {
            for (uint32_t lane = 0; lane < warp_size; ++lane) {
                float* const values = &accumulators.values[lane * per_lane + tile * 4];
                float* const upper = &d[lane / 4][lane % 4 * 2];
                float* const lower = &d[lane / 4 + 8][lane % 4 * 2];
                std::memcpy(store ? values : upper, store ? upper : values, 8);
                std::memcpy(store ? values + 2 : lower, store ? lower : values + 2, 8);
            }
        };
        exchange(false);
        multiply_accumulate(d, a, b, signature.bfloat16, block.run->options->rounding);
        exchange(true);
    }
}

}  // namespace lk::emulated
