// Programmatic dependent launch, and registers that move between warpgroups.
#include "conformance/checks.h"
#include "platform/cuda/barrier.cuh"
#include "platform/cuda/grid.cuh"
#include "platform/cuda/registers.cuh"

namespace lk::conformance {
namespace {

using namespace cuda;

constexpr int threads = 128;
constexpr int blocks = 8;

// Each launch reads what the launch before wrote in another block.
__global__ void step_kernel(const uint32_t* before, uint32_t* after) {
    const uint32_t thread = blockIdx.x * threads + threadIdx.x;
    const uint32_t from = (thread + threads + 1) % (threads * blocks);
    grid_launch_dependents();
    grid_dependency_wait();
    after[thread] = before[from] * 3 + 1;
}

void check_programmatic(Bench& bench) {
    constexpr uint32_t count = threads * blocks;
    auto expected = random_values<uint32_t>(bench, count, 0, 0xffffffff);
    std::vector<Buffer<uint32_t>> values;
    values.push_back(bench.copy(expected));
    values.push_back(bench.zeros<uint32_t>(count));
    for (int step = 0; step < 6; ++step) {
        bench.launch({.blocks = blocks, .threads = threads, .programmatic = step > 0}, step_kernel,
                     values[step % 2].data(), values[(step + 1) % 2].data());
        std::vector<uint32_t> next(count);
        for (uint32_t i = 0; i < count; ++i) next[i] = expected[(i + threads + 1) % count] * 3 + 1;
        expected = next;
    }
    expect_equal("after six launches", values[0].read(), expected);
}

// The first warpgroup gives registers up, the two others take them; all compute.
__global__ void __launch_bounds__(3 * threads, 1) registers_kernel(const uint32_t* values, uint32_t* results) {
#if LK_HAS_WGMMA
    if (threadIdx.x < threads) {
        registers_decrease<40>();
        results[threadIdx.x] = values[threadIdx.x] + 1;
    } else {
        registers_increase<232>();
        results[threadIdx.x] = values[threadIdx.x] * 2;
    }
#else
    unsupported_architecture();
#endif
}

void check_registers(Bench& bench) {
    const auto values = random_values<uint32_t>(bench, 3 * threads, 0, 0xffffffff);
    std::vector<uint32_t> expected(values.size());
    for (size_t i = 0; i < values.size(); ++i) expected[i] = i < threads ? values[i] + 1 : values[i] * 2;
    const auto device_values = bench.copy(values);
    const auto results = bench.zeros<uint32_t>(expected.size());
    bench.launch({.threads = 3 * threads}, registers_kernel, device_values.data(), results.data());
    expect_equal("results", results.read(), expected);
}

}  // namespace

std::vector<Check> grid_checks() {
    return {
        {"programmatic dependent launch", 80, check_programmatic},
        {"setmaxnreg", 90, check_registers},
    };
}

}  // namespace lk::conformance
