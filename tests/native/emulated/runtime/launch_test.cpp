// Kernel launches: their arguments, their limits, and what a broken rule does to the context.
#include "core/error.h"
#include "emulated/runtime/kernels.h"
#include "emulated/runtime/machine_test.h"

namespace lk::test {
namespace {

class LaunchTest : public RuntimeTest {
  protected:
    void SetUp() override {
        RuntimeTest::SetUp();
        values_ = device_ints(100);
        CUDA_OK(cudaMemsetAsync(values_, 0, 400, stream_));
    }
    lk_status status_of_launch(const cuda::LaunchConfig& config) {
        try {
            launch_add(values_, 100, 1, config);
        } catch (const Error& error) {
            EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);  // it was reported
            return error.status();
        }
        return LK_OK;
    }

    int* device_zeros(int count) {
        int* const memory = device_ints(count);
        EXPECT_EQ(cudaSuccess, cudaMemsetAsync(memory, 0, size_t(count) * sizeof(int), stream_));
        EXPECT_EQ(cudaSuccess, cudaStreamSynchronize(stream_));
        return memory;
    }

    int* values_ = nullptr;
};

TEST_F(LaunchTest, KernelsRunInOrderWhenWaitedFor) {
    lk_emulated_statistics statistics{};
    statistics.struct_size = sizeof statistics;
    ASSERT_EQ(LK_OK, lk_emulated_statistics_clear());
    launch_add(values_, 100, 3, stream_);
    launch_add(values_, 99, 4, stream_);
    ASSERT_EQ(LK_OK, lk_emulated_statistics_get(&statistics));
    EXPECT_EQ(statistics.launches, 0);
    const std::vector<int> values = read(values_, 100);
    EXPECT_EQ(values[0], 7);
    EXPECT_EQ(values[98], 7);
    EXPECT_EQ(values[99], 3);
    ASSERT_EQ(LK_OK, lk_emulated_statistics_get(&statistics));
    EXPECT_EQ(statistics.launches, 2);
}

TEST_F(LaunchTest, TheBytesOfEachAllocationAreCounted) {
    int64_t read_bytes = -1;
    int64_t written_bytes = -1;
    int* const other = device_ints(1);
    launch_add(values_, 90, 1, stream_);
    CUDA_OK(cudaStreamSynchronize(stream_));
    ASSERT_EQ(LK_OK, lk_emulated_traffic(values_ + 99, &read_bytes, &written_bytes));
    EXPECT_EQ(read_bytes, 360);
    EXPECT_EQ(written_bytes, 360);
    ASSERT_EQ(LK_OK, lk_emulated_traffic(other, &read_bytes, &written_bytes));
    EXPECT_EQ(read_bytes, 0);
    EXPECT_EQ(LK_NOT_FOUND, lk_emulated_traffic(&read_bytes, &read_bytes, &written_bytes));
}

TEST_F(LaunchTest, ArgumentsAreCopiedByTheLaunch) {
    int64_t* memory = nullptr;
    CUDA_OK(cudaMalloc(&memory, sizeof(Numbers)));
    Numbers numbers{};
    numbers.values[39] = 17;
    launch_store(memory, numbers, stream_);
    numbers.values[39] = 18;
    EXPECT_EQ(read(reinterpret_cast<int*>(memory), 80)[78], 17);
}

TEST_F(LaunchTest, AGraphKeepsItsKernelsArguments) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    CUDA_OK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    launch_add(values_, 100, 2, stream_);
    CUDA_OK(cudaStreamEndCapture(stream_, &graph));
    CUDA_OK(cudaGraphInstantiate(&executable, graph));
    for (int launch = 0; launch < 3; ++launch) CUDA_OK(cudaGraphLaunch(executable, stream_));
    EXPECT_EQ(read(values_, 1)[0], 6);
}

TEST_F(LaunchTest, ShapesThatNoDeviceHasAreRefused) {
    EXPECT_EQ(status_of_launch({.grid = 0, .block = 32, .stream = stream_}), LK_INTERNAL);
    EXPECT_EQ(status_of_launch({.grid = 1, .block = 1025, .stream = stream_}), LK_INTERNAL);
    EXPECT_EQ(status_of_launch({.grid = 1, .block = dim3(32, 33), .stream = stream_}), LK_INTERNAL);
    EXPECT_EQ(status_of_launch({.grid = dim3(1, 65536), .block = 32, .stream = stream_}), LK_INTERNAL);
    EXPECT_EQ(status_of_launch({.grid = 1, .block = 32}), LK_INTERNAL);  // a default stream
    EXPECT_EQ(read(values_, 1)[0], 0);
    EXPECT_EQ(status_of_launch({.grid = 1, .block = dim3(32, 32), .stream = stream_}), LK_OK);
}

TEST_F(LaunchTest, DynamicSharedMemoryHasItsLimit) {
    cudaLaunchConfig_t config{};
    config.gridDim = 1;
    config.blockDim = 32;
    config.dynamicSmemBytes = 48 * 1024 + 4;
    config.stream = stream_;
    const auto call = emulated::make_kernel_call(+[] {});
    CUDA_FAILS(cudaErrorInvalidValue, cudaLaunchKernelExC(&config, add_kernel(), call));
    CUDA_FAILS(cudaErrorInvalidValue,
               cudaFuncSetAttribute(add_kernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, 227 * 1024 + 1));
    CUDA_OK(cudaFuncSetAttribute(add_kernel(), cudaFuncAttributeMaxDynamicSharedMemorySize, 64 * 1024));
    CUDA_OK(cudaLaunchKernelExC(&config, add_kernel(), call));
    cudaGetLastError();
    // launch() raises the limit by itself, as far as the device goes.
    EXPECT_EQ(status_of_launch({.grid = 1, .block = 32, .shared_bytes = 227 * 1024, .stream = stream_}), LK_OK);
    EXPECT_EQ(status_of_launch({.grid = 1, .block = 32, .shared_bytes = 228 * 1024, .stream = stream_}), LK_INTERNAL);
    CUDA_OK(cudaStreamSynchronize(stream_));
}

TEST_F(LaunchTest, OccupancyIsTheLeastOfItsLimits) {
    const auto blocks = [&](int threads, size_t shared) {
        int count = -1;
        EXPECT_EQ(cudaSuccess, cudaOccupancyMaxActiveBlocksPerMultiprocessor(&count, add_kernel(), threads, shared));
        return count;
    };
    EXPECT_EQ(blocks(1024, 0), 2);
    EXPECT_EQ(blocks(32, 0), 32);
    EXPECT_EQ(blocks(128, 113 * 1024), 2);
    EXPECT_EQ(blocks(2048, 0), 0);
}

TEST_F(LaunchTest, AnArchitectureThatIsNotBuiltIsNamed) {
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("architecture=75"));
    try {
        launch_add(values_, 100, 1, stream_);
        FAIL() << "launched";
    } catch (const Error& error) {
        EXPECT_EQ(error.status(), LK_ARCHITECTURE_NOT_BUILT);
        EXPECT_NE(std::string(error.what()).find("no kernels for sm_75, only for "), std::string::npos) << error.what();
    }
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("architecture=90"));
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_ARCHITECTURE_NOT_BUILT));
    EXPECT_EQ(status_of_launch({.grid = 1, .block = 32, .stream = stream_}), LK_ARCHITECTURE_NOT_BUILT);
    EXPECT_EQ(status_of_launch({.grid = 1, .block = 32, .stream = stream_}), LK_OK);
}

TEST_F(LaunchTest, ABrokenRuleLosesTheContext) {
    int* const exact = device_ints(64);
    CUDA_OK(cudaMemsetAsync(exact, 0, 256, stream_));
    launch_add_past_end(exact, 64, stream_);
    launch_add(values_, 100, 1, stream_);  // never runs
    CUDA_FAILS(cudaErrorLaunchFailure, cudaStreamSynchronize(stream_));
    const std::string text = cudaGetErrorString(cudaErrorLaunchFailure);
    EXPECT_EQ(text.rfind("kernel lk::test::(anonymous namespace)::add(int*, int, int)\n", 0), 0u) << text;
    EXPECT_NE(text.find("reads 4 bytes at byte 256 of allocation"), std::string::npos) << text;
    CUDA_FAILS(cudaErrorLaunchFailure, cudaStreamSynchronize(stream_));
}

// The kernel has no grid_dependency_wait: wrong right after another kernel, harmless after anything else.
TEST_F(LaunchTest, AProgrammaticLaunchMustWaitForTheKernelBeforeIt) {
    const cuda::LaunchConfig early{.grid = 4, .block = 32, .stream = stream_, .programmatic = true};
    cudaStream_t other = nullptr;
    CUDA_OK(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    launch_add(values_, 100, 1, early);  // after a fill
    CUDA_OK(cudaStreamSynchronize(stream_));
    launch_add(device_zeros(100), 100, 1, other);
    CUDA_OK(cudaStreamSynchronize(other));
    launch_add(values_, 100, 1, early);  // another stream's kernel has run in between
    CUDA_OK(cudaStreamSynchronize(stream_));
    CUDA_OK(cudaMemsetAsync(values_, 0, 4, stream_));
    launch_add(values_, 100, 1, early);
    CUDA_OK(cudaStreamSynchronize(stream_));
    launch_add(values_, 100, 1, early);
    CUDA_FAILS(cudaErrorLaunchFailure, cudaStreamSynchronize(stream_));
    EXPECT_NE(std::string(cudaGetErrorString(cudaErrorLaunchFailure)).find("grid_dependency_wait"), std::string::npos);
}

TEST_F(LaunchTest, AProgrammaticLaunchInAGraphMustWaitToo) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    CUDA_OK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    launch_add(values_, 100, 1, stream_);
    launch_add(values_, 100, 1, {.grid = 4, .block = 32, .stream = stream_, .programmatic = true});
    CUDA_OK(cudaStreamEndCapture(stream_, &graph));
    CUDA_OK(cudaGraphInstantiate(&executable, graph));
    CUDA_OK(cudaGraphLaunch(executable, stream_));
    CUDA_FAILS(cudaErrorLaunchFailure, cudaStreamSynchronize(stream_));
}

TEST_F(LaunchTest, AKernelThatUsesAnotherContextsMemoryIsFound) {
    CUcontext other = nullptr;
    cudaStream_t stream = nullptr;
    CUDA_OK(cudaStreamSynchronize(stream_));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&other, 0, 0));
    CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    launch_add(values_, 100, 1, stream);
    CUDA_FAILS(cudaErrorLaunchFailure, cudaStreamSynchronize(stream));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(other));
    CUDA_OK(cudaStreamSynchronize(stream_));  // this context lives on
}

}  // namespace
}  // namespace lk::test
