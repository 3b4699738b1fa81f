// Plain loads and stores: races within a warp, uninitialised reads, bounds, alignment.
#include "device/harness.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::emulated::testing {
namespace {

using Words = uint32_t[64];
using Halves = uint16_t[32];
using Bytes = uint8_t[32];

template <uint32_t Mask>
__global__ void neighbour(uint32_t* out) {
    LK_SHARED(Words, values);
    const uint32_t lane = threadIdx.x;
    values[lane] = lane;
    if constexpr (Mask == cuda::all_lanes) cuda::warp_sync();
    if constexpr (Mask == 1) cuda::warp_sync(1u << lane);
    if constexpr (Mask == 3) cuda::warp_sync(3u << lane / 2 * 2);
    out[lane] = values[lane ^ 1];
}

TEST(Memory, OrdersLanesByWarpSyncOnly) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_silent([&](const Options& options) { return run(neighbour<cuda::all_lanes>, {}, options, out.data()); });
    expect_silent([&](const Options& options) { return run(neighbour<3>, {}, options, out.data()); });
    expect_found("without warp_sync between",
                 [&](const Options& options) { return run(neighbour<1>, {}, options, out.data()); });
    expect_found("memory_test.cu", [&](const Options& options) { return run(neighbour<1>, {}, options, out.data()); });
    expect_found("without warp_sync between",
                 [&](const Options& options) { return run(neighbour<0>, {}, options, out.data()); });
}

__global__ void shuffle_instead(uint32_t* out) {
    LK_SHARED(Words, values);
    const uint32_t lane = threadIdx.x;
    values[lane] = lane;
    cuda::shuffle(lane, 0);
    out[lane] = values[lane ^ 1];
}

TEST(Memory, IsNotOrderedByShuffles) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found("without warp_sync between",
                 [&](const Options& options) { return run(shuffle_instead, {}, options, out.data()); });
}

__global__ void own_parts_of_words(uint32_t* out) {
    LK_SHARED(Halves, halves);
    LK_SHARED(Bytes, bytes);
    const uint32_t lane = threadIdx.x;
    halves[lane] = uint16_t(lane);
    bytes[lane] = uint8_t(lane);
    halves[lane] = uint16_t(halves[lane] + bytes[lane]);
    out[lane] = halves[lane];
}

TEST(Memory, TellsPartsOfAWordApart) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_silent([&](const Options& options) { return run(own_parts_of_words, {}, options, out.data()); });
    for (uint32_t lane = 0; lane < 32; ++lane) EXPECT_EQ(out.read()[lane], 2 * lane);
}

__global__ void others_half(uint32_t* out) {
    LK_SHARED(Halves, halves);
    const uint32_t lane = threadIdx.x;
    halves[lane] = uint16_t(lane);
    out[lane] = halves[lane ^ 1];
}

TEST(Memory, FindsRacesOnPartsOfAWord) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found("without warp_sync between",
                 [&](const Options& options) { return run(others_half, {}, options, out.data()); });
}

__global__ void overwrite_what_others_read(uint32_t* out) {
    LK_SHARED(Words, values);
    const uint32_t lane = threadIdx.x;
    values[lane] = lane;
    cuda::block_sync();
    out[lane] = values[0];
    if (lane == 40) values[0] = 1;
}

TEST(Memory, FindsWritesOverReads) {
    const auto out = Array<uint32_t>::uninitialised(64);
    expect_found("race", [&](const Options& options) {
        return run(overwrite_what_others_read, {.block = 64}, options, out.data());
    });
}

__global__ void read_unwritten_shared(uint32_t* out) {
    LK_SHARED(Words, values);
    if (threadIdx.x != 5) values[threadIdx.x] = 1;
    out[threadIdx.x] = values[threadIdx.x];
}

TEST(Memory, FindsUninitialisedSharedMemory) {
    const auto out = Array<uint32_t>::uninitialised(32);
    const auto launch = [&](const Options& options) { return run(read_unwritten_shared, {}, options, out.data()); };
    expect_found("uninitialised read: block (0,0,0) thread 5 ", launch);
    EXPECT_EQ(out.read()[5], 0x7fff7fffu);
}

__global__ void copy(const uint32_t* in, uint32_t* out, int count) {
    if (int(threadIdx.x) < count) out[threadIdx.x] = in[threadIdx.x];
}

TEST(Memory, FindsUninitialisedGlobalMemory) {
    const auto in = Array<uint32_t>::uninitialised(32);
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_found("uninitialised read",
                 [&](const Options& options) { return run(copy, {}, options, in.data(), out.data(), 32); });
    EXPECT_EQ(out.read()[0], 0x7f7f7f7fu);
}

TEST(Memory, KeepsGlobalMemoryInitialisedBetweenLaunches) {
    const Array<uint32_t> in(std::vector<uint32_t>(32, 7));
    const auto middle = Array<uint32_t>::uninitialised(32);
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_silent([&](const Options& options) {
        EXPECT_TRUE(run(copy, {}, options, in.data(), middle.data(), 32).ok());
        return run(copy, {}, options, middle.data(), out.data(), 32);
    });
    EXPECT_EQ(out.read(), in.read());
}

TEST(Memory, FindsReadsAndWritesPastAnAllocation) {
    const Array<uint32_t> in(std::vector<uint32_t>(32, 7));
    const Array<uint32_t> small(std::vector<uint32_t>(31, 7));
    expect_found("reads 4 bytes at byte 124 of allocation",
                 [&](const Options& options) { return run(copy, {}, options, small.data(), in.data(), 32); });
    expect_found("writes 4 bytes at byte 124 of allocation",
                 [&](const Options& options) { return run(copy, {}, options, in.data(), small.data(), 32); });
}

__global__ void write_far(uint32_t* out) {
    out[1 << 20] = 1;
}

TEST(Memory, EndsLaunchesThatTouchGuardPages) {
    const auto out = Array<uint32_t>::uninitialised(64);
    Options unchecked;
    unchecked.checked = false;
    const LaunchReport report = run(copy, {.block = 128}, unchecked, out.data(), out.data() + 64, 128);
    EXPECT_NE(text_of(report).find("out of bounds"), std::string::npos) << text_of(report);
    expect_found("out of bounds", [&](const Options& options) { return run(write_far, {}, options, out.data()); });
}

__global__ void read_from(const uint32_t* somewhere, uint32_t* out) {
    out[threadIdx.x] = *somewhere;
}

TEST(Memory, FindsHostMemory) {
    const auto out = Array<uint32_t>::uninitialised(32);
    const std::vector<uint32_t> host(4, 1);
    expect_found("neither shared nor global memory",
                 [&](const Options& options) { return run(read_from, {}, options, host.data(), out.data()); });
}

TEST(Memory, FindsMemoryOfAnotherContext) {
    const auto out = Array<uint32_t>::uninitialised(32, 5);
    expect_found("belongs to another context",
                 [&](const Options& options) { return run(copy, {}, options, out.data(), out.data(), 1); });
}

constexpr uint32_t table[4] = {3, 1, 4, 1};

__global__ void look_up(uint32_t* out) {
    out[threadIdx.x] = table[threadIdx.x % 4];
}

TEST(Memory, LetsKernelsReadConstants) {
    const auto out = Array<uint32_t>::uninitialised(32);
    expect_silent([&](const Options& options) { return run(look_up, {}, options, out.data()); });
}

__global__ void run_over_variable(uint32_t behind) {
    LK_SHARED(Words, first);
    LK_SHARED(Words, second);
    second[threadIdx.x] = 0;
    first[behind + threadIdx.x % 2] = 1;
}

TEST(Memory, FindsAccessesBetweenSharedVariables) {
    expect_found("between variables", [&](const Options& options) { return run(run_over_variable, {}, options, 64u); });
}

__global__ void load_vector(const uint32_t* in, uint4* out) {
    out[threadIdx.x] = *reinterpret_cast<const uint4*>(in + 1);
}

TEST(Memory, FindsMisalignedVectors) {
    const Array<uint32_t> in(std::vector<uint32_t>(32, 7));
    const auto out = Array<uint4>::uninitialised(32);
    expect_found("misaligned",
                 [&](const Options& options) { return run(load_vector, {}, options, in.data(), out.data()); });
}

}  // namespace
}  // namespace lk::emulated::testing
