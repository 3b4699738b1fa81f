// Streams, CUDA contexts and devices: what the library borrows, and what it leaves as it was.
#include <thread>

#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

constexpr int64_t kRows = 4;
constexpr lk_dtype kType = LK_DTYPE_F32;

class BackendStreams : public BackendTest {
  protected:
    // All results of a rig, for comparison with another's.
    static std::vector<uint32_t> everything(Rig& rig) {
        LK_EXPECT_OK(rig.set({0, -1, 2, 1}));
        return bits_of(rig.linear(random_matrix(kRows, rig.shape.in, 1), kType, true, true));
    }
};

TEST_F(BackendStreams, ABorrowedStreamIsUsedAndNotDestroyed) {
    CUcontext host = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&host, 0, 1));
    cudaStream_t stream = nullptr;
    ASSERT_EQ(cudaSuccess, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    {
        Rig borrowed(emulated_options(1, stream), {});
        void* used = nullptr;
        LK_ASSERT_OK(lk_context_stream(borrowed.context, &used));
        EXPECT_EQ(used, stream);
        EXPECT_EQ(current_context(), host);
        Rig owned(emulated_options(0), {});
        LK_ASSERT_OK(lk_context_stream(owned.context, &used));
        EXPECT_NE(used, stream);
        EXPECT_NE(used, nullptr);
        EXPECT_EQ(everything(borrowed), everything(owned));
    }
    EXPECT_EQ(cudaSuccess, cudaStreamSynchronize(stream));
    EXPECT_EQ(cudaSuccess, cudaStreamDestroy(stream));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(host));
}

// Work that the host enqueues on its stream before is done before.
TEST_F(BackendStreams, OperationsFollowTheHostsOwnWorkOnTheStream) {
    CUcontext host = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&host, 0, 0));
    cudaStream_t stream = nullptr;
    ASSERT_EQ(cudaSuccess, cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    {
        Rig rig(emulated_options(0, stream), {});
        const DeviceMatrix source(rig.context, random_matrix(kRows, rig.shape.in, 1), kType);
        DeviceMatrix x(rig.context, random_matrix(kRows, rig.shape.in, 2), kType);
        DeviceMatrix y(rig.context, kRows, rig.shape.out, kType);
        const size_t bytes = size_t(kRows * source.view.row_stride * 4);
        ASSERT_EQ(cudaSuccess, cudaMemcpyAsync(x.view.data, source.view.data, bytes, cudaMemcpyDeviceToDevice, stream));
        LK_ASSERT_OK(lk_matmul(rig.context, &x.view, rig.weight, nullptr, &y.view));
        ASSERT_EQ(cudaSuccess, cudaMemsetAsync(x.view.data, 0, bytes, stream));
        EXPECT_EQ(bits_of(y.download()),
                  bits_of(rig.linear(random_matrix(kRows, rig.shape.in, 1), kType, false, false)));
    }
    ASSERT_EQ(cudaSuccess, cudaStreamDestroy(stream));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(host));
}

TEST_F(BackendStreams, EveryCallLeavesTheCallersContextCurrent) {
    CUcontext host = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&host, 0, 1));
    {
        Rig rig(emulated_options(0), {});  // on the other device
        EXPECT_EQ(current_context(), host);
        LK_ASSERT_OK(rig.set({0, 1, 2, -1}));
        EXPECT_EQ(current_context(), host);
        const Matrix x = random_matrix(kRows, rig.shape.in, 1), y = random_matrix(kRows, rig.shape.out, 1);
        rig.linear(x, kType, true, true);
        EXPECT_EQ(current_context(), host);
        rig.apply(x, y, kType);
        rig.expand(rig.shrink(x, kType), y, kType);
        rig.dequantize(kType);
        EXPECT_EQ(current_context(), host);
        Graph graph;
        LK_ASSERT_OK(lk_capture_begin(rig.context));
        EXPECT_EQ(current_context(), host);
        LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
        LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
        LK_ASSERT_OK(lk_context_synchronize(rig.context));
        LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "is NULL", lk_dequantize(rig.context, rig.weight, nullptr));
        EXPECT_EQ(current_context(), host);
    }
    EXPECT_EQ(current_context(), host);
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(host));
    EXPECT_EQ(current_context(), nullptr);
    Rig rig(emulated_options(1), {});
    EXPECT_EQ(current_context(), nullptr);
}

TEST_F(BackendStreams, TwoDevicesWorkSideBySide) {
    Rig first(emulated_options(0), {}), second(emulated_options(1), {});
    LK_ASSERT_OK(first.set({0, -1, 2, 1}));
    LK_ASSERT_OK(second.set({0, -1, 2, 1}));
    std::vector<uint32_t> results[2];
    std::thread other([&] { results[1] = everything(second); });
    results[0] = everything(first);
    other.join();
    EXPECT_EQ(results[0], results[1]);

    DeviceMatrix x(first.context, random_matrix(kRows, first.shape.in, 1), kType);
    DeviceMatrix y(first.context, kRows, first.shape.out, kType);
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "weight: is on emulated device 1, the context on emulated device 0",
                    lk_matmul(first.context, &x.view, second.weight, nullptr, &y.view));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "batch: is on emulated device 1",
                    lk_lora_apply(first.context, &x.view, second.batch, 0, &y.view));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "weight: is on emulated device 1",
                    lk_dequantize(first.context, second.weight, &y.view));
    const lk_lora_batch_options capacities{sizeof capacities, 0, 1, 1, 1, 1};
    Batch batch;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "table: is on emulated device 1",
                    lk_lora_batch_create(first.context, second.table, &capacities, batch.out()));
}

// The same device, but memory of one context means nothing in another.
TEST_F(BackendStreams, ContextsOfOneDeviceAreToldApart) {
    CUcontext host = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuCtxCreate(&host, 0, 0));
    {
        Rig in_host(emulated_options(0), {});
        CUcontext popped = nullptr;
        ASSERT_EQ(CUDA_SUCCESS, cuCtxPopCurrent(&popped));
        Rig in_primary(emulated_options(0), {});
        EXPECT_EQ(everything(in_host), everything(in_primary));
        DeviceMatrix w(in_primary.context, in_primary.shape.out, in_primary.shape.in, kType);
        LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "weight: belongs to another CUDA context",
                        lk_dequantize(in_primary.context, in_host.weight, &w.view));
        ASSERT_EQ(CUDA_SUCCESS, cuCtxPushCurrent(popped));
    }
    ASSERT_EQ(CUDA_SUCCESS, cuCtxDestroy(host));
}

}  // namespace
}  // namespace lk::test
