// Blocks that pass data to each other, and launches that depend on the one before.
#include "device/harness.h"
#include "platform/cuda/atomic.cuh"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/fence.cuh"
#include "platform/cuda/grid.cuh"
#include "platform/cuda/registers.cuh"

namespace lk::emulated::testing {
namespace {

constexpr uint32_t blocks = 8;

enum class Order { acquire_release, fences, relaxed, no_release_fence };

// The last block to arrive adds up what all have written.
template <Order Kind>
__global__ void sum_in_last_block(uint32_t* parts, uint32_t* counter, uint32_t* out) {
    LK_SHARED(uint32_t, arrived);
    parts[blockIdx.x * 64 + threadIdx.x] = blockIdx.x + threadIdx.x;
    cuda::block_sync();
    if (threadIdx.x == 0) {
        if constexpr (Kind == Order::acquire_release) {
            arrived = cuda::atomic_add_acq_rel(counter, 1);
        } else {
            if constexpr (Kind == Order::fences) cuda::fence_gpu();
            arrived = cuda::atomic_add(counter, 1u);
            if constexpr (Kind != Order::relaxed) cuda::fence_gpu();
        }
    }
    cuda::block_sync();
    if (arrived != blocks - 1) return;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < blocks; ++i) sum += parts[i * 64 + threadIdx.x];
    out[threadIdx.x] = sum;
}

template <Order Kind>
LaunchReport run_sum(const Options& options) {
    const auto parts = Array<uint32_t>::uninitialised(blocks * 64);
    const Array<uint32_t> counter(std::vector<uint32_t>{0});
    const auto out = Array<uint32_t>::uninitialised(64);
    const LaunchReport report =
        run(sum_in_last_block<Kind>, {.grid = blocks, .block = 64}, options, parts.data(), counter.data(), out.data());
    for (uint32_t i = 0; i < 64; ++i) EXPECT_EQ(out.read()[i], 28 + 8 * i);
    return report;
}

TEST(Blocks, PassDataThroughACounter) {
    expect_silent(run_sum<Order::acquire_release>);
    expect_silent(run_sum<Order::fences>);
    expect_found("without acquire and release between", run_sum<Order::relaxed>);
    expect_found("without acquire and release between", run_sum<Order::no_release_fence>);
}

// Each block waits for the one before it, and hands on.
template <bool Releases>
__global__ void chain(uint32_t* value, uint32_t* turn) {
    if (threadIdx.x == 0) cuda::wait_until_equal(turn, blockIdx.x);
    cuda::block_sync();
    if (threadIdx.x == 7) *value = *value * 3 + blockIdx.x;
    cuda::block_sync();
    if constexpr (Releases) {
        if (threadIdx.x == 0) cuda::store_release(turn, blockIdx.x + 1);
    } else {
        if (threadIdx.x == 0) cuda::atomic_exchange(turn, blockIdx.x + 1);
    }
}

template <bool Releases>
LaunchReport run_chain(const Options& options) {
    const Array<uint32_t> value(std::vector<uint32_t>{1});
    const Array<uint32_t> turn(std::vector<uint32_t>{0});
    const LaunchReport report = run(chain<Releases>, {.grid = blocks, .block = 64}, options, value.data(), turn.data());
    uint32_t expected = 1;
    for (uint32_t i = 0; i < blocks; ++i) expected = expected * 3 + i;
    EXPECT_EQ(value.read()[0], expected);
    EXPECT_LE(report.counters.resident_blocks, blocks);
    return report;
}

TEST(Blocks, WaitForEachOther) {
    expect_silent(run_chain<true>);
    expect_found("without acquire and release between", run_chain<false>);
}

TEST(Blocks, CannotWaitForOneThatNeverBegins) {
    const auto launch = [](Options options) {
        options.multiprocessors = 1;
        options.blocks_per_multiprocessor = 2;
        const Array<uint32_t> value(std::vector<uint32_t>{1});
        // The order of blocks is seeded, so somebody waits for a block that is not among the two.
        const Array<uint32_t> turn(std::vector<uint32_t>{1000});
        return run(chain<true>, {.grid = blocks, .block = 64}, options, value.data(), turn.data());
    };
    expect_found("waits in wait_until_equal at blocks_test.cu:", launch);
    expect_found("the device holds only 2 of them at once", launch);
}

template <bool Atomic>
__global__ void add_up(uint32_t* sum, float* total) {
    if constexpr (Atomic) {
        cuda::red_add(sum, 1);
        cuda::red_add(total, 0.5f);
    } else {
        *sum += 1;
        *total += 0.5f;
    }
}

TEST(Blocks, AddUpByAtomicsOnly) {
    const auto launch = [](auto kernel) {
        return [kernel](const Options& options) {
            const Array<uint32_t> sum(std::vector<uint32_t>{0});
            const Array<float> total(std::vector<float>{0});
            return run(kernel, {.grid = blocks, .block = 1}, options, sum.data(), total.data());
        };
    };
    expect_silent(launch(add_up<true>));
    expect_found("written by block number", launch(add_up<false>));
}

__global__ void update(uint32_t* word, uint32_t* out) {
    out[0] = cuda::atomic_max(word, 9u);
    out[1] = cuda::atomic_cas(word, 9u, 4u);
    out[2] = cuda::atomic_cas(word, 9u, 5u);
    out[3] = cuda::atomic_exchange(word, 8u);
    out[4] = cuda::load_acquire(word);
    out[5] = uint32_t(cuda::atomic_max(reinterpret_cast<int32_t*>(word), -1));
}

TEST(Blocks, UpdateAtomically) {
    const auto out = Array<uint32_t>::uninitialised(6);
    expect_silent([&](const Options& options) {
        const Array<uint32_t> word(std::vector<uint32_t>{7});
        return run(update, {.block = 1}, options, word.data(), out.data());
    });
    EXPECT_EQ(out.read(), (std::vector<uint32_t>{7, 9, 4, 4, 8, 8}));
}

__global__ void write_all(uint32_t* values) {
    values[threadIdx.x] = threadIdx.x;
}

template <bool Wait>
__global__ void read_all(const uint32_t* values, uint32_t* out) {
    if (Wait && threadIdx.x == 0) cuda::grid_dependency_wait();
    cuda::block_sync();
    out[threadIdx.x] = values[threadIdx.x];
    cuda::grid_launch_dependents();
}

TEST(Blocks, WaitForTheLaunchBefore) {
    const auto values = Array<uint32_t>::uninitialised(64);
    const auto out = Array<uint32_t>::uninitialised(64);
    const auto launch = [&](auto kernel, bool programmatic) {
        return [&, kernel, programmatic](const Options& options) {
            EXPECT_TRUE(run(write_all, {.block = 64}, options, values.data()).ok());
            return run(kernel, {.block = 64, .programmatic = programmatic}, options, values.data(), out.data());
        };
    };
    expect_silent(launch(read_all<true>, true));
    expect_silent(launch(read_all<false>, false));
    expect_found("without grid_dependency_wait", launch(read_all<false>, true));
}

template <int Fewer, int More>
__global__ void hand_registers(uint32_t* out) {
    if (threadIdx.x < 128) {
        cuda::registers_decrease<Fewer>();
    } else {
        cuda::registers_increase<More>();
        out[threadIdx.x - 128] = 1;
    }
}

__global__ void change_registers_of_one_warp() {
    if (threadIdx.x < 32) cuda::registers_decrease<40>();
}

TEST(Blocks, ChangeRegistersOfWholeWarpgroups) {
    expect_found("registers differently",
                 [](const Options& options) { return run(change_registers_of_one_warp, {.block = 128}, options); });
}

TEST(Blocks, HandRegistersFromWarpgroupToWarpgroup) {
    // 384 threads begin with 168 registers each.
    const auto out = Array<uint32_t>::uninitialised(256);
    const auto launch = [&](auto kernel) {
        return [&, kernel](const Options& options) { return run(kernel, {.block = 384}, options, out.data()); };
    };
    expect_silent(launch(hand_registers<40, 232>));
    expect_found("waits in registers_increase", launch(hand_registers<40, 240>));
    expect_found("decreases from 168 registers", launch(hand_registers<176, 168>));
}

}  // namespace
}  // namespace lk::emulated::testing
