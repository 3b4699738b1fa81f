// Collectives of a warp: results, and lanes that do not come together.
#include "device/harness.h"
#include "platform/cuda/warp.cuh"

namespace lk::emulated::testing {
namespace {

using cuda::all_lanes;

__global__ void exchange(uint32_t* out) {
    const uint32_t lane = threadIdx.x;
    uint32_t sum = lane;
    for (uint32_t step = 16; step > 0; step /= 2) sum += cuda::shuffle_xor(sum, step);
    out[lane] = sum + cuda::shuffle(lane, 3) + cuda::shuffle_up(lane, 1) + cuda::shuffle_down(lane, 1);
    out[32 + lane] = cuda::ballot(lane % 3 == 0);
    out[64 + lane] = cuda::match_any(lane / 8);
    out[96 + lane] = cuda::warp_reduce_add(lane) + cuda::any(lane == 5) + cuda::all(lane < 31);
}

TEST(Warp, ExchangesValues) {
    const auto out = Array<uint32_t>::uninitialised(128);
    expect_silent([&](const Options& options) { return run(exchange, {}, options, out.data()); });
    const auto values = out.read();
    for (uint32_t lane = 0; lane < 32; ++lane) {
        EXPECT_EQ(values[lane], 496 + 3 + (lane == 0 ? 0 : lane - 1) + (lane == 31 ? 31 : lane + 1));
        EXPECT_EQ(values[32 + lane], 0x49249249u);
        EXPECT_EQ(values[64 + lane], 0xffu << lane / 8 * 8);
        EXPECT_EQ(values[96 + lane], 497u);
    }
}

__global__ void diverge(uint32_t* out) {
    const uint32_t lane = threadIdx.x;
    if (lane < 16) {
        out[lane] = cuda::ballot(true);
    } else {
        out[lane] = cuda::ballot(true);
    }
}

TEST(Warp, FindsDivergedCollectives) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found("divergence", [&](const Options& options) { return run(diverge, {}, options, out.data()); });
}

__global__ void leave_early(uint32_t* out) {
    if (threadIdx.x == 7) return;
    out[threadIdx.x] = cuda::ballot(true);
}

TEST(Warp, FindsExitedLanesInMasks) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found(
        "lane 7", [&](const Options& options) { return run(leave_early, {}, options, out.data()); }, 1);
    expect_found("block (0,0,0)", [&](const Options& options) { return run(leave_early, {}, options, out.data()); });
}

__global__ void miss_own_mask(uint32_t* out) {
    out[threadIdx.x] = cuda::ballot(true, 0x0000ffffu);
}

TEST(Warp, FindsLanesOutsideOfTheirMask) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found("is not in its own mask",
                 [&](const Options& options) { return run(miss_own_mask, {}, options, out.data()); });
}

__global__ void halves(uint32_t* out) {
    const uint32_t lane = threadIdx.x;
    const uint32_t mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    out[lane] = cuda::shuffle(lane, lane ^ 1, mask);
}

TEST(Warp, LetsHalvesExchangeOnTheirOwn) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_silent([&](const Options& options) { return run(halves, {}, options, out.data()); });
    for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(out.read()[lane], lane ^ 1);
}

__global__ void read_across(uint32_t* out) {
    const uint32_t lane = threadIdx.x;
    const uint32_t mask = lane < 16 ? 0x0000ffffu : 0xffff0000u;
    out[lane] = cuda::shuffle(lane, (lane + 16) % 32, mask);
}

TEST(Warp, FindsShufflesFromLanesThatTakeNoPart) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found("takes no part", [&](const Options& options) { return run(read_across, {}, options, out.data()); });
}

__global__ void elect(uint32_t* out) {
    if (cuda::elect_one()) out[blockIdx.x] = threadIdx.x;
}

TEST(Warp, ElectsOneLane) {
    const auto out = Array<uint32_t>::uninitialised(3);
    expect_silent([&](const Options& options) { return run(elect, {.grid = 3}, options, out.data()); });
    EXPECT_EQ(out.read(), (std::vector<uint32_t>{0, 0, 0}));
}

}  // namespace
}  // namespace lk::emulated::testing
