// What is counted of a launch, and that a seed repeats it.
#include "device/harness.h"
#include "platform/cuda/async_copy.cuh"
#include "platform/cuda/atomic.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/global_memory.cuh"
#include "platform/cuda/ldmatrix.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::emulated::testing {
namespace {

using Tile = float[32 * 33];
using Vectors = uint4[64];
using Matrices = uint4[32 * 8];

__global__ void stride(float* out, int step, int rounds) {
    LK_SHARED(Tile, tile);
    for (int round = 0; round < rounds; ++round) {
        tile[int(threadIdx.x) * step] = 1.0f;
        cuda::warp_sync();
    }
    out[threadIdx.x] = tile[int(threadIdx.x) * step];
}

uint64_t conflicts_of_stride(int step, int rounds) {
    const auto out = Array<float>::uninitialised(32);
    const LaunchReport report = run(stride, {}, {}, out.data(), step, rounds);
    EXPECT_TRUE(report.ok()) << text_of(report);
    return report.counters.bank_conflicts;
}

TEST(Counters, CountBankConflictsOfPlainAccesses) {
    EXPECT_EQ(conflicts_of_stride(1, 3), 0u);
    EXPECT_EQ(conflicts_of_stride(33, 3), 0u);
    // Three stores and one load.
    EXPECT_EQ(conflicts_of_stride(2, 3), 4u * 1);
    EXPECT_EQ(conflicts_of_stride(32, 3), 4u * 31);
}

__global__ void move_vectors(uint4* out, int step) {
    LK_SHARED(Vectors, vectors);
    const int lane = int(threadIdx.x);
    vectors[lane * step % 64] = make_uint4(1, 2, 3, 4);
    cuda::warp_sync();
    out[lane] = vectors[lane * step % 64];
}

TEST(Counters, CountBankConflictsOfVectors) {
    const auto out = Array<uint4>::uninitialised(32);
    const auto conflicts = [&](int step) {
        return run(move_vectors, {}, {}, out.data(), step).counters.bank_conflicts;
    };
    EXPECT_EQ(conflicts(1), 0u);
    // Eight lanes at a time want 16 of 32 banks: four quarters of two instructions lose a cycle each.
    EXPECT_EQ(conflicts(2), 8u);
}

__global__ void load_matrix(uint32_t* out, int step) {
    LK_SHARED(Matrices, rows);
    const int lane = int(threadIdx.x);
    for (int i = lane; i < 32 * 8; i += 32) rows[i] = make_uint4(0, 0, 0, 0);
    cuda::warp_sync();
    uint32_t r[4];
    cuda::ldmatrix_x4(r, &rows[lane * step]);
    out[lane] = r[0];
}

TEST(Counters, CountBankConflictsOfLdmatrix) {
    const auto out = Array<uint32_t>::uninitialised(32);
    const auto conflicts = [&](int step) { return run(load_matrix, {}, {}, out.data(), step).counters.bank_conflicts; };
    EXPECT_EQ(conflicts(1), 0u);
    EXPECT_EQ(conflicts(8), 4u * 7);
}

__global__ void touch(const uint4* in, uint4* out, uint32_t* sum) {
    LK_SHARED(Vectors, vectors);
    cuda::cp_async<16>(&vectors[threadIdx.x], in + threadIdx.x);
    cuda::cp_async_commit();
    const uint4 loaded = cuda::load_nc(in + 32 + threadIdx.x);
    cuda::red_add(sum, loaded.x);
    cuda::cp_async_wait<0>();
    out[threadIdx.x] = vectors[threadIdx.x];
}

TEST(Counters, CountBytesOfGlobalMemory) {
    const Array<uint4> in(std::vector<uint4>(64, make_uint4(1, 2, 3, 4)));
    const auto out = Array<uint4>::uninitialised(32);
    const Array<uint32_t> sum(std::vector<uint32_t>{0});
    const LaunchReport report = run(touch, {}, {}, in.data(), out.data(), sum.data());
    EXPECT_TRUE(report.ok()) << text_of(report);
    EXPECT_EQ(report.counters.global_bytes_read, 64u * 16 + 32 * 4);
    EXPECT_EQ(report.counters.global_bytes_written, 32u * 16 + 32 * 4);
    EXPECT_EQ(report.counters.copies, 32u);
    EXPECT_EQ(report.counters.copy_bytes, 32u * 16);
    EXPECT_EQ(find_allocation(in.data())->bytes_read, 64u * 16);
    EXPECT_EQ(find_allocation(in.data())->bytes_written, 0u);
    EXPECT_EQ(find_allocation(out.data())->bytes_written, 32u * 16);
    EXPECT_EQ(sum.read()[0], 32u);
}

__global__ void number_arrivals(uint32_t* counter, uint32_t* order) {
    cuda::warp_sync();
    const uint32_t mine = cuda::atomic_add(counter, 1u);
    order[mine] = blockIdx.x * 128 + threadIdx.x;
}

std::vector<uint32_t> arrivals(uint64_t seed) {
    const Array<uint32_t> counter(std::vector<uint32_t>{0});
    const auto order = Array<uint32_t>::uninitialised(512);
    Options options;
    options.seed = seed;
    EXPECT_TRUE(run(number_arrivals, {.grid = 4, .block = 128}, options, counter.data(), order.data()).ok());
    return order.read();
}

TEST(Counters, RepeatWhatASeedDoes) {
    const auto first = arrivals(5);
    EXPECT_EQ(arrivals(5), first);
    EXPECT_NE(arrivals(6), first);
}

__global__ void recurse(uint32_t* out, int depth) {
    volatile char room[4096];
    room[0] = char(depth);
    if (depth > 0) {
        recurse(out, depth - 1);
        room[1] = room[0];  // used after the call, which therefore cannot reuse this frame
    } else {
        *out = uint32_t(room[0]);
    }
}

TEST(Counters, ReportStackOverflows) {
    const auto out = Array<uint32_t>::uninitialised(1);
    const LaunchReport report = run(recurse, {.block = 1}, {}, out.data(), 1000);
    EXPECT_NE(text_of(report).find("stack overflow"), std::string::npos) << text_of(report);
    EXPECT_TRUE(run(recurse, {.block = 1}, {}, out.data(), 3).ok());
}

}  // namespace
}  // namespace lk::emulated::testing
