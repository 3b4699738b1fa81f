// cp.async: sizes, zero fill, groups, hints, and arrival on an mbarrier.
#include "conformance/checks.h"
#include "platform/cuda/async_copy.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/mbarrier.cuh"
#include "platform/cuda/warp.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int lanes = 32;

// Lane l copies l % (Bytes + 1) of Bytes bytes, filling with zeros, with and without a hint; then all of them.
template <int Bytes>
__global__ void zero_fill_kernel(const uint8_t* source, uint8_t* results) {
    LK_DYNAMIC_SHARED(uint8_t, shared);
    const int lane = static_cast<int>(lane_id());
    uint8_t* mine = shared + lane * Bytes;
    constexpr int step = lanes * Bytes;
    cp_async_zero_fill<Bytes>(mine, source + lane * Bytes, lane % (Bytes + 1));
    cp_async_zero_fill<Bytes>(mine + step, source + lane * Bytes, lane % (Bytes + 1), evict_first());
    cp_async<Bytes>(mine + 2 * step, source + lane * Bytes);
    cp_async<Bytes>(mine + 3 * step, source + lane * Bytes, evict_last());
    cp_async_commit();
    cp_async_wait<0>();
    for (int part = 0; part < 4; ++part) {
        for (int i = 0; i < Bytes; ++i) results[part * step + lane * Bytes + i] = mine[part * step + i];
    }
}

template <int Bytes>
void check_zero_fill(Bench& bench) {
    constexpr int step = lanes * Bytes;
    const auto source = random_values<uint8_t>(bench, step, 1, 255);
    std::vector<uint8_t> expected(4 * step);
    for (int i = 0; i < step; ++i) {
        const bool copied = i % Bytes < (i / Bytes) % (Bytes + 1);
        expected[i] = expected[step + i] = copied ? source[i] : 0;
        expected[2 * step + i] = expected[3 * step + i] = source[i];
    }
    const auto device_source = bench.copy(source);
    const auto results = bench.zeros<uint8_t>(expected.size());
    bench.launch({.shared_bytes = 4 * step}, zero_fill_kernel<Bytes>, device_source.data(), results.data());
    expect_equal("bytes", results.read(), expected);
}

// Three stages in flight, as a pipelined loop has them; another lane's bytes are read after the barrier.
__global__ void group_kernel(const uint4* source, int tiles, uint4* results) {
    constexpr int stages = 3;
    using Ring = uint4[stages][lanes];
    LK_SHARED(Ring, ring);
    const int lane = static_cast<int>(lane_id());
    for (int tile = 0; tile < stages - 1; ++tile) {
        if (tile < tiles) cp_async<16>(&ring[tile][lane], source + tile * lanes + lane);
        cp_async_commit();
    }
    for (int tile = 0; tile < tiles; ++tile) {
        cp_async_wait<stages - 2>();
        block_sync();
        const int next = tile + stages - 1;
        if (next < tiles) cp_async<16>(&ring[next % stages][lane], source + next * lanes + lane);
        cp_async_commit();
        results[tile * lanes + lane] = ring[tile % stages][lanes - 1 - lane];
    }
    cp_async_wait<0>();
}

void check_groups(Bench& bench) {
    for (const int tiles : {1, 2, 3, 8}) {
        const auto words = random_values<uint32_t>(bench, static_cast<size_t>(tiles * lanes * 4), 0, 0xffffffff);
        std::vector<uint32_t> expected(words.size());
        for (int i = 0; i < tiles * lanes; ++i) {
            const int from = i / lanes * lanes + lanes - 1 - i % lanes;
            for (int j = 0; j < 4; ++j) expected[i * 4 + j] = words[from * 4 + j];
        }
        const auto device_words = bench.copy(words);
        const auto results = bench.zeros<uint32_t>(expected.size());
        bench.launch({}, group_kernel, reinterpret_cast<const uint4*>(device_words.data()), tiles,
                     reinterpret_cast<uint4*>(results.data()));
        expect_equal("tiles", results.read(), expected);
    }
}

// One warp copies, the other waits for the mbarrier on which the copies arrive.
__global__ void arrive_kernel(const uint2* source, uint2* results) {
    using Slots = uint2[lanes];
    LK_SHARED(Slots, slots);
    LK_SHARED(uint64_t, full);
    if (threadIdx.x == 0) {
        mbarrier_init(&full, lanes);
        fence_mbarrier_init();
    }
    block_sync();
    const uint32_t lane = lane_id();
    if (threadIdx.x < lanes) {
        cp_async<8>(&slots[lane], source + lane);
        cp_async_arrive(&full);
        cp_async_commit();
        cp_async_wait<0>();
    } else {
        mbarrier_wait(&full, 0);
        results[lane] = slots[lanes - 1 - lane];
    }
}

void check_arrive(Bench& bench) {
    const auto words = random_values<uint64_t>(bench, lanes, 0, INT64_MAX);
    const std::vector<uint64_t> expected(words.rbegin(), words.rend());
    const auto device_words = bench.copy(words);
    const auto results = bench.zeros<uint64_t>(lanes);
    bench.launch({.threads = 2 * lanes}, arrive_kernel, reinterpret_cast<const uint2*>(device_words.data()),
                 reinterpret_cast<uint2*>(results.data()));
    expect_equal("words", results.read(), expected);
}

}  // namespace

std::vector<Check> async_copy_checks() {
    return {
        {"cp.async of 4 bytes, zero fill", 80, check_zero_fill<4>},
        {"cp.async of 8 bytes, zero fill", 80, check_zero_fill<8>},
        {"cp.async of 16 bytes, zero fill", 80, check_zero_fill<16>},
        {"cp.async groups", 80, check_groups},
        {"cp.async arrival on an mbarrier", 80, check_arrive},
    };
}

}  // namespace lk::conformance
