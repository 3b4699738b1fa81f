// Physical memory, reserved addresses and mappings: what works, and what is found.
#include "emulated/runtime/kernels.h"
#include "emulated/runtime/machine_test.h"
#include "platform/cuda_emulated/cuda_virtual_memory.h"

namespace lk::test {
namespace {

constexpr size_t kPage = 8192;
constexpr int kInts = int(kPage / sizeof(int));

class VirtualMemoryTest : public RuntimeTest {
  protected:
    void SetUp() override {
        RuntimeTest::SetUp();
        ASSERT_EQ(LK_OK, lk_emulated_configure_text("pages=8192"));
        before_ = statistics();
    }
    void TearDown() override {
        // Not of the context: what is left over is left over.
        EXPECT_EQ(statistics().live_bytes, before_.live_bytes);
        EXPECT_EQ(statistics().reserved_bytes, before_.reserved_bytes);
        RuntimeTest::TearDown();
        lk_emulated_configure_text("pages=65536");
    }

    static lk_emulated_statistics statistics() {
        lk_emulated_statistics result{};
        result.struct_size = sizeof result;
        EXPECT_EQ(LK_OK, lk_emulated_statistics_get(&result));
        return result;
    }
    static CUmemAllocationProp properties(int device = 0) {
        return {CU_MEM_ALLOCATION_TYPE_PINNED, CU_MEM_HANDLE_TYPE_NONE, {CU_MEM_LOCATION_TYPE_DEVICE, device}};
    }
    static CUmemGenericAllocationHandle create(size_t bytes = kPage) {
        const CUmemAllocationProp of = properties();
        CUmemGenericAllocationHandle handle = 0;
        EXPECT_EQ(CUDA_SUCCESS, cuMemCreate(&handle, bytes, &of, 0));
        return handle;
    }
    static CUdeviceptr reserve(size_t pages) {
        CUdeviceptr address = 0;
        EXPECT_EQ(CUDA_SUCCESS, cuMemAddressReserve(&address, pages * kPage, 0, 0, 0));
        return address;
    }
    static CUresult enable(CUdeviceptr address, size_t pages, int device = 0) {
        const CUmemAccessDesc access{{CU_MEM_LOCATION_TYPE_DEVICE, device}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
        return cuMemSetAccess(address, pages * kPage, &access, 1);
    }
    static int* ints(CUdeviceptr address) { return reinterpret_cast<int*>(address); }

    // Two pages at consecutive addresses.
    void map_two() {
        address_ = reserve(2);
        for (size_t i = 0; i < 2; ++i) {
            pages_[i] = create();
            ASSERT_EQ(CUDA_SUCCESS, cuMemMap(address_ + i * kPage, kPage, 0, pages_[i], 0));
        }
    }
    void unmap_two() {
        for (size_t i = 0; i < 2; ++i) EXPECT_EQ(CUDA_SUCCESS, cuMemUnmap(address_ + i * kPage, kPage));
    }
    void free_two() {
        EXPECT_EQ(CUDA_SUCCESS, cuMemAddressFree(address_, 2 * kPage));
        for (const auto page : pages_) EXPECT_EQ(CUDA_SUCCESS, cuMemRelease(page));
    }
    void expect_found(const std::string& text) {
        const cudaError_t error = cudaStreamSynchronize(stream_);
        EXPECT_EQ(error, cudaErrorLaunchFailure);
        EXPECT_NE(std::string(cudaGetErrorString(error)).find(text), std::string::npos) << cudaGetErrorString(error);
    }

    CUdeviceptr address_ = 0;
    CUmemGenericAllocationHandle pages_[2] = {};
    lk_emulated_statistics before_{};
};

TEST_F(VirtualMemoryTest, KernelsAndCopiesCrossPages) {
    map_two();
    ASSERT_EQ(CUDA_SUCCESS, enable(address_, 2));
    EXPECT_EQ(statistics().live_bytes - before_.live_bytes, int64_t(2 * kPage));
    CUDA_OK(cudaMemsetAsync(ints(address_), 0, 2 * kPage, stream_));
    launch_add(ints(address_), 2 * kInts, 5, stream_);
    EXPECT_EQ(read(ints(address_), 2 * kInts), std::vector<int>(2 * kInts, 5));
    unmap_two();
    free_two();
}

TEST_F(VirtualMemoryTest, APageKeepsItsHandleWhereverItIsMapped) {
    map_two();
    unmap_two();
    for (size_t i = 0; i < 2; ++i) ASSERT_EQ(CUDA_SUCCESS, cuMemMap(address_ + i * kPage, kPage, 0, pages_[1 - i], 0));
    ASSERT_EQ(CUDA_SUCCESS, enable(address_, 2));
    // What was there before does not count as written.
    launch_add(ints(address_), 1, 1, stream_);
    expect_found("uninitialised read");
    // A handle may go before its mapping.
    for (const auto page : pages_) EXPECT_EQ(CUDA_SUCCESS, cuMemRelease(page));
    EXPECT_EQ(statistics().live_bytes - before_.live_bytes, int64_t(2 * kPage));
    unmap_two();
    EXPECT_EQ(statistics().live_bytes, before_.live_bytes);
    EXPECT_EQ(CUDA_SUCCESS, cuMemAddressFree(address_, 2 * kPage));
}

TEST_F(VirtualMemoryTest, AKernelWithoutAccessIsFound) {
    map_two();
    launch_add(ints(address_), 1, 1, stream_);
    expect_found("unmapped");
    unmap_two();
    free_two();
}

TEST_F(VirtualMemoryTest, AnotherDevicesAccessIsNone) {
    map_two();
    ASSERT_EQ(CUDA_SUCCESS, enable(address_, 2, 1));
    CUDA_FAILS(cudaErrorInvalidValue, cudaMemsetAsync(ints(address_), 0, kPage, stream_));
    launch_add(ints(address_), 1, 1, stream_);
    expect_found("unmapped");
    unmap_two();
    free_two();
}

TEST_F(VirtualMemoryTest, WorkThatRunsAfterTheUnmappingIsFound) {
    for (const bool checked : {true, false}) {
        SCOPED_TRACE(checked);
        map_two();
        ASSERT_EQ(CUDA_SUCCESS, enable(address_, 2));
        CUDA_OK(cudaMemsetAsync(ints(address_), 0, 2 * kPage, stream_));
        CUDA_OK(cudaStreamSynchronize(stream_));
        ASSERT_EQ(LK_OK, lk_emulated_configure_text(checked ? "checks=1" : "checks=0"));
        launch_add(ints(address_), 2 * kInts, 5, stream_);
        unmap_two();
        expect_found("unmapped");
        free_two();
        ASSERT_EQ(LK_OK, lk_emulated_configure_text("checks=1"));
        cuCtxDestroy(context_);
        ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&context_, 0, 0));
        CUDA_OK(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    }
}

TEST_F(VirtualMemoryTest, ACopyThatRunsAfterTheUnmappingIsFound) {
    map_two();
    ASSERT_EQ(CUDA_SUCCESS, enable(address_, 2));
    CUDA_OK(cudaMemsetAsync(ints(address_), 0, 2 * kPage, stream_));
    ASSERT_EQ(CUDA_SUCCESS, cuMemUnmap(address_ + kPage, kPage));
    expect_found("not allocated in its context any more");
    EXPECT_EQ(CUDA_SUCCESS, cuMemUnmap(address_, kPage));
    free_two();
}

TEST_F(VirtualMemoryTest, MappingsFollowTheirRules) {
    map_two();
    const auto page = create();
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemMap(address_, kPage, 0, page, 0));              // mapped already
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemMap(address_ + 2 * kPage, kPage, 0, page, 0));  // not reserved
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemUnmap(address_, 2 * kPage));                    // two mappings
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemAddressFree(address_, 2 * kPage));              // mapped
    unmap_two();
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemUnmap(address_, kPage));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, enable(address_, 1));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemMap(address_ + 512, kPage, 0, page, 0));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemMap(address_, kPage / 2, 0, page, 0));
    EXPECT_EQ(CUDA_SUCCESS, cuMemRelease(page));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemMap(address_, kPage, 0, page, 0));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemRelease(page));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemAddressFree(address_, kPage));
    free_two();
    const CUmemAllocationProp of = properties(), elsewhere = properties(7);
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemCreate(&handle, kPage + 1, &of, 0));
    EXPECT_EQ(CUDA_ERROR_INVALID_VALUE, cuMemCreate(&handle, kPage, &elsewhere, 0));
}

TEST_F(VirtualMemoryTest, MemoryIsThatOfTheDevice) {
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("memory=1048576"));
    const auto page = create((1 << 20) - kPage);
    void* memory = nullptr;
    CUDA_FAILS(cudaErrorMemoryAllocation, cudaMalloc(&memory, kPage + 1));
    const CUmemAllocationProp of = properties();
    CUmemGenericAllocationHandle more = 0;
    EXPECT_EQ(CUDA_ERROR_OUT_OF_MEMORY, cuMemCreate(&more, 2 * kPage, &of, 0));
    ASSERT_EQ(LK_OK, lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    EXPECT_EQ(CUDA_ERROR_OUT_OF_MEMORY, cuMemCreate(&more, kPage, &of, 0));
    char text[200];
    ASSERT_EQ(LK_OK, lk_emulated_list_memory(text, sizeof text));
    EXPECT_NE(std::string(text).find("device 0: 1040384 bytes to be mapped"), std::string::npos) << text;
    EXPECT_EQ(CUDA_SUCCESS, cuMemRelease(page));
}

TEST_F(VirtualMemoryTest, ADeviceMayHaveNone) {
    int supported = -1;
    EXPECT_EQ(CUDA_SUCCESS,
              cuDeviceGetAttribute(&supported, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 0));
    EXPECT_EQ(supported, 1);
    ASSERT_EQ(LK_OK, lk_emulated_configure_text("pages=0"));
    EXPECT_EQ(CUDA_SUCCESS,
              cuDeviceGetAttribute(&supported, CU_DEVICE_ATTRIBUTE_VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED, 0));
    EXPECT_EQ(supported, 0);
    const CUmemAllocationProp of = properties();
    size_t bytes = 0;
    EXPECT_EQ(CUDA_ERROR_NOT_SUPPORTED, cuMemGetAllocationGranularity(&bytes, &of, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
}

TEST_F(VirtualMemoryTest, ACaptureForbidsIt) {
    CUDA_OK(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal));
    const CUmemAllocationProp of = properties();
    CUmemGenericAllocationHandle handle = 0;
    EXPECT_EQ(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemCreate(&handle, kPage, &of, 0));
    cudaGraph_t graph = nullptr;
    CUDA_FAILS(cudaErrorStreamCaptureInvalidated, cudaStreamEndCapture(stream_, &graph));
}

}  // namespace
}  // namespace lk::test
