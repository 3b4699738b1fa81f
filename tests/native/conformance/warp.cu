// Shuffles, votes, matches, reductions and the order within a warp.
#include "conformance/checks.h"
#include "platform/cuda/warp.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int lanes = 32;

// ---- Shuffles -------------------------------------------------------------------------------------------------------

// Every amount of every kind, as integers and, for the first kind, floats.
__global__ void shuffle_kernel(const uint32_t* values, const float* floats, uint32_t* results, float* float_results) {
    const uint32_t lane = lane_id();
    for (uint32_t amount = 0; amount < lanes; ++amount) {
        uint32_t* result = results + (amount * lanes + lane) * 4;
        result[0] = shuffle(values[lane], amount);
        result[1] = shuffle_xor(values[lane], amount);
        result[2] = shuffle_down(values[lane], amount);
        result[3] = shuffle_up(values[lane], amount);
        float_results[amount * lanes + lane] = shuffle(floats[lane], amount);
    }
}

void check_shuffle(Bench& bench) {
    const auto values = random_values<uint32_t>(bench, lanes, 0, 0xffffffff);
    const auto floats = random_values<float>(bench, lanes, -1000, 1000);
    std::vector<uint32_t> expected(lanes * lanes * 4);
    std::vector<float> expected_floats(lanes * lanes);
    for (int amount = 0; amount < lanes; ++amount) {
        for (int lane = 0; lane < lanes; ++lane) {
            uint32_t* result = &expected[(amount * lanes + lane) * 4];
            result[0] = values[amount];
            result[1] = values[lane ^ amount];
            result[2] = values[lane + amount < lanes ? lane + amount : lane];
            result[3] = values[lane - amount >= 0 ? lane - amount : lane];
            expected_floats[amount * lanes + lane] = floats[amount];
        }
    }
    const auto device_values = bench.copy(values);
    const auto device_floats = bench.copy(floats);
    const auto results = bench.zeros<uint32_t>(expected.size());
    const auto float_results = bench.zeros<float>(expected_floats.size());
    bench.launch({}, shuffle_kernel, device_values.data(), device_floats.data(), results.data(), float_results.data());
    expect_equal("shuffle, xor, down, up", results.read(), expected);
    expect_equal("shuffle of floats", float_results.read(), expected_floats);
}

// ---- Votes and the like ---------------------------------------------------------------------------------------------

// The lanes of the mask vote; the others go past.
__global__ void vote_kernel(const uint32_t* values, uint32_t mask, uint32_t* results) {
    const uint32_t lane = lane_id();
    if ((mask >> lane & 1u) == 0) return;
    const uint32_t value = values[lane];
    uint32_t* result = results + lane * 6;
    result[0] = ballot(value % 2 != 0, mask);
    result[1] = any(value % 8 == 0, mask);
    result[2] = all(value % 8 != 7, mask);
    result[3] = match_any(value % 4, mask);
    result[4] = warp_reduce_add(value, mask);
    result[5] = static_cast<uint32_t>(warp_reduce_add(-static_cast<int32_t>(value), mask));
}

void check_votes(Bench& bench) {
    for (const uint32_t mask : {0xffffffffu, 0x0000ffffu, 0x80000001u, 0x5a5a1234u, 0x00000010u}) {
        const auto values = random_values<uint32_t>(bench, lanes, 0, 1000);
        std::vector<uint32_t> expected(lanes * 6);
        for (int lane = 0; lane < lanes; ++lane) {
            if ((mask >> lane & 1u) == 0) continue;
            uint32_t* result = &expected[lane * 6];
            result[2] = 1;
            for (int other = 0; other < lanes; ++other) {
                if ((mask >> other & 1u) == 0) continue;
                result[0] |= (values[other] % 2) << other;
                result[1] |= values[other] % 8 == 0;
                result[2] &= values[other] % 8 != 7;
                result[3] |= uint32_t(values[other] % 4 == values[lane] % 4) << other;
                result[4] += values[other];
                result[5] -= values[other];
            }
        }
        const auto device_values = bench.copy(values);
        const auto results = bench.zeros<uint32_t>(expected.size());
        bench.launch({}, vote_kernel, device_values.data(), mask, results.data());
        expect_equal("ballot, any, all, match_any, warp_reduce_add", results.read(), expected);
    }
}

__global__ void elect_kernel(uint32_t* results) {
    for (int i = 0; i < 4; ++i) results[i * 64 + threadIdx.x] = elect_one();
}

// Which lane is elected is not specified, but it is one in each warp and always the same.
void check_elect(Bench& bench) {
    const auto device_results = bench.zeros<uint32_t>(4 * 64);
    bench.launch({.threads = 64}, elect_kernel, device_results.data());
    const auto results = device_results.read();
    std::vector<uint32_t> elected(8);
    for (int i = 0; i < 4 * 64; ++i) elected[i / 32] += results[i];
    expect_equal("elected lanes of each warp", elected, std::vector<uint32_t>(8, 1));
    for (int i = 1; i < 4; ++i) {
        expect_equal("the same lanes again",
                     std::vector<uint32_t>(results.begin() + i * 64, results.begin() + i * 64 + 64),
                     std::vector<uint32_t>(results.begin(), results.begin() + 64));
    }
}

// ---- Order ----------------------------------------------------------------------------------------------------------

// Lanes hand values around through shared memory, a step a round.
__global__ void warp_sync_kernel(uint32_t* results) {
    using Slots = uint32_t[lanes];
    LK_SHARED(Slots, slots);
    const uint32_t lane = lane_id();
    uint32_t value = lane * lane;
    for (int round = 0; round < 40; ++round) {
        slots[lane] = value;
        warp_sync();
        value = slots[(lane + 1) % lanes] + 1;
        warp_sync();
    }
    results[lane] = value;
}

void check_warp_sync(Bench& bench) {
    std::vector<uint32_t> expected(lanes);
    for (int lane = 0; lane < lanes; ++lane) {
        const uint32_t origin = static_cast<uint32_t>(lane + 40) % lanes;
        expected[lane] = origin * origin + 40;
    }
    const auto results = bench.zeros<uint32_t>(lanes);
    bench.launch({}, warp_sync_kernel, results.data());
    expect_equal("values after 40 rounds", results.read(), expected);
}

}  // namespace

std::vector<Check> warp_checks() {
    return {
        {"shuffles", 80, check_shuffle},
        {"votes, match and reduction", 80, check_votes},
        {"elect", 80, check_elect},
        {"warp_sync", 80, check_warp_sync},
    };
}

}  // namespace lk::conformance
