// Recorded operations: replayed with other contents at the same addresses, and what cannot be recorded.
#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

constexpr lk_dtype kType = LK_DTYPE_F32;
constexpr int64_t kRows = 6;

class BackendGraph : public BackendTest {
  protected:
    BackendGraph() {
        const lk_workspace_query query{sizeof query, 0, kRows, rig.shape.in, rig.shape.out, rig.batch};
        LK_EXPECT_OK(lk_workspace_bytes(rig.context, &query, &workspace_bytes));
        LK_EXPECT_OK(lk_buffer_create(rig.context, workspace_bytes, workspace.out()));
        LK_EXPECT_OK(lk_buffer_data(workspace, &workspace_data));
        LK_EXPECT_OK(lk_context_set_workspace(rig.context, workspace_data, workspace_bytes));
    }
    ~BackendGraph() override { LK_EXPECT_OK(lk_context_set_workspace(rig.context, nullptr, 0)); }

    lk_status linear() { return lk_linear(rig.context, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view); }

    void record(Graph& graph) {
        LK_ASSERT_OK(rig.set({0, 1, 2, -1, 0, 1}));
        LK_ASSERT_OK(lk_capture_begin(rig.context));
        LK_EXPECT_OK(linear());
        LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
    }

    Rig rig{emulated_options(), {}};
    DeviceMatrix x{rig.context, random_matrix(kRows, rig.shape.in, 1), kType};
    DeviceMatrix y{rig.context, random_matrix(kRows, rig.shape.out, 2), kType};
    Buffer workspace;
    int64_t workspace_bytes = 0;
    void* workspace_data = nullptr;
};

TEST_F(BackendGraph, RecordingRunsNothing) {
    Graph graph;
    record(graph);
    EXPECT_EQ(bits_of(y.download()), bits_of(random_matrix(kRows, rig.shape.out, 2)));
}

TEST_F(BackendGraph, ServesChangedInputsAndBatches) {
    Graph graph;
    record(graph);
    uint32_t seed = 100;
    for (const std::vector<int>& adapters :
         {std::vector<int>{0, 1, 2, -1, 0, 1}, {2, 2, 2, 2, 2, 2}, {-1, -1, -1, -1, -1, -1}, {0, -1, 1, -1, 2, -1}}) {
        const Matrix input = random_matrix(kRows, rig.shape.in, ++seed);
        x.upload(input);
        LK_ASSERT_OK(rig.set(adapters));
        LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
        const Matrix replayed = y.download();
        EXPECT_EQ(bits_of(replayed), bits_of(rig.linear(input, kType, true, false)));
    }
}

TEST_F(BackendGraph, ServesAdaptersThatCameLater) {
    Graph graph;
    record(graph);
    rig.adapters[0] = rig.add_adapter(31, 900);
    LK_ASSERT_OK(rig.set({0, 0, 1, -1, 0, 0}));
    LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
    const Matrix replayed = y.download();
    EXPECT_EQ(bits_of(replayed), bits_of(rig.linear(random_matrix(kRows, rig.shape.in, 1), kType, true, false)));
}

TEST_F(BackendGraph, RowsThatTheBatchDoesNotHaveGetNoAdapters) {
    Graph graph;
    record(graph);
    const Matrix input = random_matrix(kRows, rig.shape.in, 1);
    const Matrix base = rig.linear(input, kType, false, false);
    LK_ASSERT_OK(rig.set({2, 1}));
    LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
    const Matrix replayed = y.download();
    LK_ASSERT_OK(rig.set({2, 1, -1, -1, -1, -1}));
    for (int64_t r = 2; r < kRows; ++r) {
        for (int64_t n = 0; n < rig.shape.out; ++n)
            EXPECT_EQ(replayed.values[size_t(r * rig.shape.out + n)], base.values[size_t(r * rig.shape.out + n)]);
    }
    for (int64_t n = 0; n < 2; ++n) EXPECT_NE(replayed.values[size_t(n)], base.values[size_t(n)]);
}

// More rows than were recorded, whose further rows have entries of their own.
TEST_F(BackendGraph, RowsThatWereNotRecordedAreLeftAlone) {
    Graph graph;
    record(graph);
    const Matrix input = random_matrix(9, rig.shape.in, 1);
    LK_ASSERT_OK(rig.set({0, 1, 2, 0, 1, 2, 0, 1, 2}));
    const Matrix expected = rig.linear(input, kType, true, false);
    LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
    const Matrix replayed = y.download();
    EXPECT_TRUE(std::equal(replayed.values.begin(), replayed.values.end(), expected.values.begin()));
}

TEST_F(BackendGraph, EveryOperationCanBeRecorded) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1, 0, 1}));
    int64_t columns = 0;
    LK_ASSERT_OK(lk_lora_shrink_columns(rig.batch, 0, &columns));
    DeviceMatrix s(rig.context, rig.entries, columns, LK_DTYPE_F32), w(rig.context, rig.shape.out, rig.shape.in, kType),
        copy(rig.context, rig.shape.out, rig.shape.in, kType);
    Graph graph;
    LK_ASSERT_OK(lk_capture_begin(rig.context));
    LK_EXPECT_OK(lk_dequantize(rig.context, rig.weight, &w.view));
    LK_EXPECT_OK(lk_copy(rig.context, &w.view, LK_COPY_DEVICE_TO_DEVICE, &copy.view));
    LK_EXPECT_OK(lk_matmul(rig.context, &x.view, rig.weight, nullptr, &y.view));
    LK_EXPECT_OK(lk_lora_apply(rig.context, &x.view, rig.batch, 0, &y.view));
    LK_EXPECT_OK(lk_lora_shrink(rig.context, &x.view, rig.batch, 0, &s.view));
    LK_EXPECT_OK(lk_lora_expand(rig.context, &s.view, rig.batch, 0, &y.view));
    LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
    LK_ASSERT_OK(lk_graph_launch(rig.context, graph));

    const Matrix input = random_matrix(kRows, rig.shape.in, 1);
    const Matrix values = rig.shrink(input, kType);
    Matrix expected = rig.linear(input, kType, false, false);
    expected = rig.apply(input, expected, kType);
    expected = rig.expand(values, expected, kType);
    EXPECT_EQ(bits_of(y.download()), bits_of(expected));
    EXPECT_EQ(bits_of(copy.download()), bits_of(rig.dequantize(kType)));
}

TEST_F(BackendGraph, WhatCannotBeRecordedIsRefusedAndTheRecordingGoesOn) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1, 0, 1}));
    Matrix host = random_matrix(kRows, rig.shape.in, 5);
    const lk_matrix host_view = host.view();
    LK_ASSERT_OK(lk_capture_begin(rig.context));
    LK_EXPECT_ERROR(LK_BUSY, "setting a batch cannot be recorded", rig.set({0, 0, 0, 0, 0, 0}));
    LK_EXPECT_ERROR(LK_BUSY, "from or to host memory cannot be recorded",
                    lk_copy(rig.context, &host_view, LK_COPY_HOST_TO_DEVICE, &x.view));
    LK_EXPECT_ERROR(LK_BUSY, "waiting for the stream cannot be recorded", lk_context_synchronize(rig.context));
    LK_EXPECT_ERROR(LK_BUSY, "a recording cannot be recorded", lk_capture_begin(rig.context));
    LK_EXPECT_ERROR(LK_BUSY, "workspace: cannot be replaced", lk_context_set_workspace(rig.context, nullptr, 0));
    Tensors tensors(nf4_sizes(8, 32, 32, 0));
    fill(tensors, 1);
    Weight weight;
    LK_EXPECT_ERROR(LK_BUSY, "packing a weight cannot be recorded",
                    lk_weight_pack(rig.context, &tensors.view, weight.out()));
    Matrix a = random_matrix(2, rig.shape.in, 1), b = random_matrix(rig.shape.out / 2 - 1, 2, 1);
    const lk_lora_factors factors{sizeof factors, 0, 0, 1, a.view(), b.view(), {}, {}};
    int64_t id = 0;
    LK_EXPECT_ERROR(LK_BUSY, "writing to the device from the host cannot be recorded",
                    lk_lora_table_add(rig.context, rig.table, &factors, 1, &id));
    LK_EXPECT_OK(linear());
    Graph graph;
    LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
    LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
    EXPECT_EQ(bits_of(y.download()), bits_of(rig.linear(random_matrix(kRows, rig.shape.in, 1), kType, true, false)));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "does not record", lk_capture_end(rig.context, graph.out()));
}

TEST_F(BackendGraph, AWorkspaceDoesNotGrowWhileRecording) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1, 0, 1}));
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, nullptr, 0));
    LK_ASSERT_OK(lk_capture_begin(rig.context));
    LK_EXPECT_ERROR(LK_CAPACITY_EXCEEDED, "this operation needs ", linear());
    Graph graph;
    LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
}

// The context's own workspace serves if it is large enough, and stays as long as the graph.
TEST_F(BackendGraph, TheContextsOwnWorkspaceOutlivesItsReplacement) {
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, nullptr, 0));
    LK_ASSERT_OK(rig.set({0, 1, 2, -1, 0, 1}));
    LK_ASSERT_OK(linear());
    Graph graph;
    record(graph);
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, workspace_data, workspace_bytes));
    LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
    EXPECT_EQ(bits_of(y.download()), bits_of(rig.linear(random_matrix(kRows, rig.shape.in, 1), kType, true, false)));
}

TEST_F(BackendGraph, ACallThatEndsTheRecordingIsReported) {
    LK_ASSERT_OK(rig.set({0, 1, 2, -1, 0, 1}));
    void* stream = nullptr;
    LK_ASSERT_OK(lk_context_stream(rig.context, &stream));
    LK_ASSERT_OK(lk_capture_begin(rig.context));
    CUcontext of_stream = nullptr;
    ASSERT_EQ(CUDA_SUCCESS, cuStreamGetCtx(static_cast<cudaStream_t>(stream), &of_stream));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxPushCurrent(of_stream));
    EXPECT_EQ(cudaErrorStreamCaptureUnsupported, cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
    ASSERT_EQ(CUDA_SUCCESS, cuCtxPopCurrent(&of_stream));
    Graph graph;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "has ended the recording", lk_capture_end(rig.context, graph.out()));
    LK_EXPECT_OK(linear());
}

TEST_F(BackendGraph, ADestroyedContextDropsItsRecording) {
    Context other = make_context(emulated_options());
    LK_ASSERT_OK(lk_capture_begin(other));
    LK_EXPECT_OK(lk_matmul(other, &x.view, rig.weight, nullptr, &y.view));
}

// Contents set on one context's stream are there for a graph launched on another's, which the next setting waits for.
TEST_F(BackendGraph, LaunchesOnAnotherContextKeepTheOrderOfContents) {
    Graph graph;
    record(graph);
    Context other = make_context(emulated_options());
    const Matrix input = random_matrix(kRows, rig.shape.in, 1);
    for (uint32_t seed = 1; seed <= 5; ++seed) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        LK_ASSERT_OK(rig.set({2, 2, 2, 2, 2, 2}));
        LK_ASSERT_OK(lk_graph_launch(other, graph));
        LK_ASSERT_OK(rig.set({-1, -1, 1, 1, 0, 0}));
        LK_ASSERT_OK(lk_context_synchronize(other));
        const Matrix replayed = y.download();
        LK_ASSERT_OK(rig.set({2, 2, 2, 2, 2, 2}));
        EXPECT_EQ(bits_of(replayed), bits_of(rig.linear(input, kType, true, false))) << "seed " << seed;
    }
}

TEST_F(BackendGraph, AnotherDevicesContextRefusesTheGraph) {
    Graph graph;
    record(graph);
    Context other = make_context(emulated_options(1));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "graph: is on emulated device 0, the context on emulated device 1",
                    lk_graph_launch(other, graph));
}

}  // namespace
}  // namespace lk::test
