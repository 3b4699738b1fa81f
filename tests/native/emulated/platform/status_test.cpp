// CUDA's errors as statuses.
#include "platform/cuda/status.h"

#include "emulated/platform/platform_test.h"

namespace lk::test {
namespace {

using StatusTest = PlatformTest;

TEST_F(StatusTest, SaysWhatToDo) {
    EXPECT_EQ(cuda::status_of(cudaErrorInvalidValue), LK_INTERNAL);
    EXPECT_EQ(cuda::status_of(cudaErrorIllegalAddress), LK_DEVICE_LOST);
    EXPECT_EQ(cuda::status_of(cudaErrorUnsupportedPtxVersion), LK_DRIVER_TOO_OLD);
    EXPECT_EQ(cuda::status_of(cudaErrorNoDevice), LK_DEVICE_UNAVAILABLE);
    expect_error(LK_OUT_OF_MEMORY, "cudaMalloc: out of memory",
                 [] { cuda::check(cudaErrorMemoryAllocation, "cudaMalloc"); });
    expect_error(LK_DRIVER_TOO_OLD, "older than this library's CUDA 12.4; install a newer one",
                 [] { cuda::check(cudaErrorInsufficientDriver, "cudaGetDeviceCount"); });
    expect_error(LK_INTERNAL, "cuCtxPopCurrent: cudaErrorInvalidValue: invalid argument",
                 [] { cuda::check(CUDA_ERROR_INVALID_VALUE, "cuCtxPopCurrent"); });
    cuda::check(cudaSuccess, "");
    cuda::check(CUDA_SUCCESS, "");
}

TEST_F(StatusTest, AnErrorIsReportedOnce) {
    const HostContext host(0);
    void* memory = nullptr;
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    expect_error(LK_OUT_OF_MEMORY, "cudaErrorMemoryAllocation",
                 [&] { cuda::check(cudaMalloc(&memory, 16), "cudaMalloc"); });
    EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

}  // namespace
}  // namespace lk::test
