// Hinted loads and stores, atomics, and what passes between blocks.
#include <algorithm>
#include <numeric>

#include "conformance/checks.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/global_memory.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 64;
constexpr int blocks = 16;

// ---- Loads and stores -----------------------------------------------------------------------------------------------

// Copies three times with a hint and three times without, in units of 16, 8 and 4 bytes.
__global__ void hinted_kernel(const uint32_t* source, uint32_t* results) {
    const auto copy = [&](auto unit, int part) {
        using Unit = decltype(unit);
        constexpr int words = static_cast<int>(sizeof(Unit) / 4);
        const auto* from = reinterpret_cast<const Unit*>(source);
        auto* plain = reinterpret_cast<Unit*>(results + part * threads * 8);
        auto* hinted = reinterpret_cast<Unit*>(results + part * threads * 8 + threads * 4);
        for (int i = static_cast<int>(threadIdx.x); i < threads * 4 / words; i += threads) {
            store_streaming(plain + i, load_nc(from + i));
            store_streaming(hinted + i, load_nc(from + i, part == 0 ? evict_first() : evict_last()));
        }
    };
    copy(uint4{}, 0);
    copy(uint2{}, 1);
    copy(uint32_t{}, 2);
}

void check_hinted(Bench& bench) {
    const auto source = random_values<uint32_t>(bench, threads * 4, 0, 0xffffffff);
    std::vector<uint32_t> expected;
    for (int copies = 0; copies < 6; ++copies) expected.insert(expected.end(), source.begin(), source.end());
    const auto device_source = bench.copy(source);
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.threads = threads}, hinted_kernel, device_source.data(), results.data());
    expect_equal("copies", results.read(), expected);
}

// ---- Atomics --------------------------------------------------------------------------------------------------------

struct Totals {
    uint32_t added;
    int32_t subtracted;
    float float_sum;
    float float_red;
    uint32_t red;
    uint32_t largest;
    int32_t largest_signed;
    uint32_t locked;
};

// Every thread adds its share to each total; `tickets` notes the values that the first addition returned.
__global__ void atomics_kernel(Totals* totals, uint32_t* tickets) {
    const uint32_t thread = blockIdx.x * threads + threadIdx.x;
    tickets[thread] = atomic_add(&totals->added, 1u);
    atomic_add(&totals->subtracted, -static_cast<int32_t>(thread));
    atomic_add(&totals->float_sum, static_cast<float>(thread));
    red_add(&totals->float_red, static_cast<float>(thread % 7));
    red_add(&totals->red, thread);
    atomic_max(&totals->largest, thread * 2654435761u);
    atomic_max(&totals->largest_signed, static_cast<int32_t>(thread) - 2000);
    // Multiplication by compare-and-swap.
    uint32_t seen = 1;
    for (;;) {
        const uint32_t before = atomic_cas(&totals->locked, seen, seen * 3);
        if (before == seen) break;
        seen = before;
    }
}

void check_atomics(Bench& bench) {
    constexpr int count = threads * blocks;
    std::vector<uint32_t> tickets(count);
    std::iota(tickets.begin(), tickets.end(), 0u);
    Totals total{};
    total.locked = 1;
    total.largest_signed = INT32_MIN;
    const auto totals = bench.copy(std::vector<Totals>{total});
    const auto device_tickets = bench.zeros<uint32_t>(count);
    bench.launch({.blocks = blocks, .threads = threads}, atomics_kernel, totals.data(), device_tickets.data());
    auto given = device_tickets.read();
    std::sort(given.begin(), given.end());
    expect_equal("each ticket once", given, tickets);
    for (uint32_t thread = 0; thread < count; ++thread) {
        total.added += 1;
        total.subtracted -= static_cast<int32_t>(thread);
        total.float_sum += static_cast<float>(thread);  // sums of integers below 2^24 are exact in any order
        total.float_red += static_cast<float>(thread % 7);
        total.red += thread;
        total.largest = std::max(total.largest, thread * 2654435761u);
        total.largest_signed = std::max(total.largest_signed, static_cast<int32_t>(thread) - 2000);
        total.locked *= 3;
    }
    const auto words = [](const Totals& value) {
        std::vector<uint32_t> result(sizeof(Totals) / 4);
        std::memcpy(result.data(), &value, sizeof(Totals));
        return result;
    };
    expect_equal("totals", words(totals.read()[0]), words(total));
}

// Threads pass a token on: each takes what is there and leaves its own.
__global__ void exchange_kernel(uint32_t* slot, uint32_t* taken) {
    const uint32_t thread = blockIdx.x * threads + threadIdx.x;
    taken[thread] = atomic_exchange(slot, thread + 1);
}

void check_exchange(Bench& bench) {
    constexpr int count = threads * blocks;
    const auto slot = bench.zeros<uint32_t>(1);
    const auto device_taken = bench.zeros<uint32_t>(count);
    bench.launch({.blocks = blocks, .threads = threads}, exchange_kernel, slot.data(), device_taken.data());
    auto taken = device_taken.read();
    taken.push_back(slot.read()[0]);
    std::sort(taken.begin(), taken.end());
    std::vector<uint32_t> expected(count + 1);
    std::iota(expected.begin(), expected.end(), 0u);
    expect_equal("each token once", taken, expected);
}

// The block that comes last adds up what all have written.
__global__ void last_block_kernel(uint32_t* counter, uint32_t* parts, uint32_t* result) {
    LK_SHARED(bool, last);
    parts[blockIdx.x * threads + threadIdx.x] = blockIdx.x * 1000 + threadIdx.x;
    block_sync();
    if (threadIdx.x == 0) last = atomic_add_acq_rel(counter, 1) == gridDim.x - 1;
    block_sync();
    if (!last) return;
    uint32_t sum = 0;
    for (uint32_t block = 0; block < gridDim.x; ++block) sum = sum * 3 + parts[block * threads + threadIdx.x];
    result[threadIdx.x] = sum;
}

void check_last_block(Bench& bench) {
    std::vector<uint32_t> expected(threads);
    for (uint32_t i = 0; i < threads; ++i) {
        for (uint32_t block = 0; block < blocks; ++block) expected[i] = expected[i] * 3 + block * 1000 + i;
    }
    const auto counter = bench.zeros<uint32_t>(1);
    const auto parts = bench.zeros<uint32_t>(threads * blocks);
    const auto result = bench.zeros<uint32_t>(threads);
    bench.launch({.blocks = blocks, .threads = threads}, last_block_kernel, counter.data(), parts.data(),
                 result.data());
    expect_equal("sums", result.read(), expected);
}

// Blocks in a chain: each waits for the one before, reads what it wrote, and releases the next.
__global__ void chain_kernel(uint32_t* flag, uint32_t* values) {
    if (threadIdx.x == 0) wait_until_equal(flag, blockIdx.x);
    block_sync();
    const uint32_t before = blockIdx.x == 0 ? 1 : values[(blockIdx.x - 1) * threads + (threadIdx.x + 1) % threads];
    values[blockIdx.x * threads + threadIdx.x] = before * 3 + threadIdx.x;
    block_sync();
    if (threadIdx.x == 0) store_release(flag, blockIdx.x + 1);
}

// The same with relaxed atomics between fences, which order what lies around them; thread 0 watches the flag.
__global__ void fence_kernel(uint32_t* flag, uint32_t* values) {
    if (blockIdx.x == 0) {
        values[threadIdx.x] = threadIdx.x * threadIdx.x;
        fence_block();
        fence_gpu();
        block_sync();
        if (threadIdx.x == 0) {
            fence_gpu();
            atomic_add(flag, 1u);
        }
    } else {
        if (threadIdx.x == 0) {
            wait_until_equal(flag, 1);
            fence_gpu();
        }
        block_sync();
        values[threads + threadIdx.x] = values[(threadIdx.x + 1) % threads] + 1;
    }
}

void check_chain(Bench& bench) {
    std::vector<uint32_t> expected(threads * blocks);
    for (uint32_t block = 0; block < blocks; ++block) {
        for (uint32_t i = 0; i < threads; ++i) {
            const uint32_t before = block == 0 ? 1 : expected[(block - 1) * threads + (i + 1) % threads];
            expected[block * threads + i] = before * 3 + i;
        }
    }
    const auto flag = bench.zeros<uint32_t>(1);
    const auto values = bench.zeros<uint32_t>(expected.size());
    bench.launch({.blocks = blocks, .threads = threads}, chain_kernel, flag.data(), values.data());
    expect_equal("values", values.read(), expected);
    expect_equal("flag", flag.read(), std::vector<uint32_t>{blocks});
}

void check_fences(Bench& bench) {
    std::vector<uint32_t> expected(2 * threads);
    for (uint32_t i = 0; i < threads; ++i) {
        expected[i] = i * i;
        const uint32_t next = (i + 1) % threads;
        expected[threads + i] = next * next + 1;
    }
    const auto flag = bench.zeros<uint32_t>(1);
    const auto values = bench.zeros<uint32_t>(expected.size());
    bench.launch({.blocks = 2, .threads = threads}, fence_kernel, flag.data(), values.data());
    expect_equal("values", values.read(), expected);
}

}  // namespace

std::vector<Check> memory_checks() {
    return {
        {"hinted loads and stores", 80, check_hinted},
        {"atomics", 80, check_atomics},
        {"atomic exchange", 80, check_exchange},
        {"the last block sums", 80, check_last_block},
        {"release and acquire along blocks", 80, check_chain},
        {"fences", 80, check_fences},
    };
}

}  // namespace lk::conformance
