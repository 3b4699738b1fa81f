// Every status has a call that gives it, with a message that names argument, value and what was allowed.
#include <cmath>
#include <limits>
#include <string>
#include <thread>

#include "core/context.h"
#include "core/error.h"
#include "support/abi.h"

namespace lk::test {
namespace {

class Status : public testing::Test {
  protected:
    Status() {
        Tensors tensors(q4_0_sizes(40, 64));
        fill(tensors, 1);
        LK_EXPECT_OK(lk_weight_pack(context, &tensors.view, weight.out()));
        const lk_lora_module module{sizeof module, 0, 64, 40, nullptr};
        LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, table.out()));
        Matrix a = random_matrix(4, 64, 1), b = random_matrix(40, 4, 2);
        const lk_lora_factors factors{sizeof factors, 0, 0, 1.0f, a.view(), b.view(), {}, {}};
        LK_EXPECT_OK(lk_lora_table_add(context, table, &factors, 1, &adapter));
        const lk_lora_batch_options capacities{sizeof capacities, 0, 4, 4, 1, 4};
        LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
    }

    lk_status set(std::vector<int64_t> adapters, std::vector<float> weights = {}) {
        const lk_lora_assignment assignment{sizeof assignment,        0,
                                            int64_t(adapters.size()), nullptr,
                                            adapters.data(),          weights.empty() ? nullptr : weights.data()};
        return lk_lora_batch_set(context, batch, &assignment);
    }

    Context context = make_context();
    Weight weight;
    Table table;
    Batch batch;
    int64_t adapter = 0;
};

TEST_F(Status, NamesAreTheirEnumerators) {
    EXPECT_STREQ(lk_status_name(LK_OK), "LK_OK");
    EXPECT_STREQ(lk_status_name(LK_INTERNAL), "LK_INTERNAL");
    EXPECT_STREQ(lk_status_name(static_cast<lk_status>(99)), "unknown");
}

TEST_F(Status, InvalidArgument) {
    Matrix x(2, 64), y(2, 40);
    lk_matrix x_view = x.view(), y_view = y.view();
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "context: NULL", lk_context_synchronize(nullptr));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "weight: is NULL", lk_matmul(context, &x_view, nullptr, nullptr, &y_view));
    x_view.row_stride = 63;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "x.row_stride: is 63 elements; allowed are 64",
                    lk_matmul(context, &x_view, weight, nullptr, &y_view));
    x_view = x.view();
    x_view.data = reinterpret_cast<char*>(x.values.data()) + 1;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "not aligned", lk_matmul(context, &x_view, weight, nullptr, &y_view));
    x_view = x.view();
    x_view.dtype = static_cast<lk_dtype>(7);
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "x.dtype: is 7", lk_matmul(context, &x_view, weight, nullptr, &y_view));
    x_view = x.view();
    x_view.rows = -1;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "x: is -1 x 64", lk_matmul(context, &x_view, weight, nullptr, &y_view));
    x_view = x.view();
    x_view.reserved = 5;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "reserved of a matrix: is 5",
                    lk_matmul(context, &x_view, weight, nullptr, &y_view));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "count: is -1", lk_cpu_set_thread_count(-1));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "count: is 1025", lk_cpu_set_thread_count(1025));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "weights[1]: is nan", set({adapter, adapter}, {1.0f, std::nanf("")}));
    Tensors bad_group(nf4_sizes(4, 64, 48, 0));
    Weight packed;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "group_size: is 48", lk_weight_pack(context, &bad_group.view, packed.out()));
    Tensors short_codes(nf4_sizes(4, 64, 64, 0));
    short_codes.view.codes.size -= 1;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "codes.size: is 127 bytes, the shape needs 128",
                    lk_weight_pack(context, &short_codes.view, packed.out()));
    Matrix w = random_matrix(4, 64, 3);
    w.at(2, 5) = std::numeric_limits<float>::infinity();
    const lk_matrix w_view = w.view();
    const lk_quantize_options options{sizeof options, LK_FORMAT_BNB_NF4, 64, 0, LK_DTYPE_F32, 0};
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "w[2, 5]: is inf", lk_quantize(context, &w_view, &options, packed.out()));
    lk_context_options stream = context_options();
    stream.stream = &stream;
    Context other;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "options.stream", lk_context_create(&stream, other.out()));
    lk_context_options invariance = context_options();
    invariance.batch_invariant = 2;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "options.batch_invariant: is 2; allowed are 0 and 1",
                    lk_context_create(&invariance, other.out()));
    lk_context_options compute = context_options();
    compute.compute = static_cast<lk_compute>(2);
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "options.compute: is 2; allowed are precise (0) and int8 (1)",
                    lk_context_create(&compute, other.out()));
    compute.compute = LK_COMPUTE_INT8;
    compute.device_kind = LK_DEVICE_CUDA;
    LK_EXPECT_ERROR(LK_UNSUPPORTED, "options.compute: is int8", lk_context_create(&compute, other.out()));
    char workspace[300];
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "with data", lk_context_set_workspace(context, workspace, 0));
}

TEST_F(Status, ShapeMismatch) {
    Matrix x(2, 63), y(2, 40), y3(3, 40), good(2, 64);
    const lk_matrix x_view = x.view(), y_view = y.view(), y3_view = y3.view(), good_view = good.view();
    LK_EXPECT_ERROR(LK_SHAPE_MISMATCH, "x.columns: is 63, the weight's in_features are 64",
                    lk_matmul(context, &x_view, weight, nullptr, &y_view));
    LK_EXPECT_ERROR(LK_SHAPE_MISMATCH, "y.rows: is 3, x has 2",
                    lk_matmul(context, &good_view, weight, nullptr, &y3_view));
    LK_EXPECT_ERROR(LK_SHAPE_MISMATCH, "x.rows: is 2, the batch's rows are 0",
                    lk_lora_apply(context, &good_view, batch, 0, &y_view));
    Matrix a = random_matrix(4, 63, 1), b = random_matrix(40, 4, 2);
    const lk_lora_factors factors{sizeof factors, 0, 0, 1.0f, a.view(), b.view(), {}, {}};
    int64_t id = 0;
    LK_EXPECT_ERROR(LK_SHAPE_MISMATCH, "factors[0].a.columns: is 63",
                    lk_lora_table_add(context, table, &factors, 1, &id));
}

TEST_F(Status, Overlap) {
    std::vector<float> memory(64 * 2 + 40 * 2);
    const lk_matrix x{memory.data(), 2, 64, 64, LK_DTYPE_F32, 0};
    const lk_matrix y{memory.data() + 127, 2, 40, 40, LK_DTYPE_F32, 0};
    LK_EXPECT_ERROR(LK_OVERLAP, "overlaps x", lk_matmul(context, &x, weight, nullptr, &y));
    const lk_matrix side_by_side{memory.data(), 2, 40, 104, LK_DTYPE_F32, 0};
    const lk_matrix wide{memory.data() + 40, 2, 64, 104, LK_DTYPE_F32, 0};
    LK_EXPECT_OK(lk_matmul(context, &wide, weight, nullptr, &side_by_side));
}

TEST_F(Status, Unsupported) {
    Tensors tensors(q4_0_sizes(1, 32));
    tensors.view.format = static_cast<lk_format>(77);
    Weight packed;
    LK_EXPECT_ERROR(LK_UNSUPPORTED, "tensors.format: is 77", lk_weight_pack(context, &tensors.view, packed.out()));
    Matrix w = random_matrix(1, 32, 1);
    const lk_matrix w_view = w.view();
    const lk_quantize_options options{sizeof options, LK_FORMAT_GGUF_Q4_0, 32, 0, LK_DTYPE_F32, 0};
    LK_EXPECT_ERROR(LK_UNSUPPORTED, "can only be read", lk_quantize(context, &w_view, &options, packed.out()));
}

TEST_F(Status, CapacityExceeded) {
    LK_EXPECT_ERROR(LK_CAPACITY_EXCEEDED, "5 rows, the batch was created for 4", set({0, 0, 0, 0, 0}));
    LK_EXPECT_OK(set({adapter, adapter, adapter, adapter}));
    Matrix x = random_matrix(4, 64, 1), y(4, 40);
    const lk_matrix x_view = x.view(), y_view = y.view();
    alignas(256) char workspace[256];
    LK_EXPECT_OK(lk_context_set_workspace(context, workspace, sizeof workspace));
    LK_EXPECT_ERROR(LK_CAPACITY_EXCEEDED, "has 256 bytes, this operation needs",
                    lk_linear(context, &x_view, weight, batch, 0, nullptr, &y_view));
    const lk_workspace_query query{sizeof query, 0, 4, 64, 40, batch};
    int64_t bytes = 0;
    LK_EXPECT_OK(lk_workspace_bytes(context, &query, &bytes));
    std::vector<char> enough(size_t(bytes + 256));
    char* const aligned = enough.data() + (256 - reinterpret_cast<uintptr_t>(enough.data()) % 256) % 256;
    LK_EXPECT_OK(lk_context_set_workspace(context, aligned, bytes));
    LK_EXPECT_OK(lk_linear(context, &x_view, weight, batch, 0, nullptr, &y_view));
    LK_EXPECT_OK(lk_context_set_workspace(context, nullptr, 0));
}

TEST_F(Status, NotFound) {
    LK_EXPECT_ERROR(LK_NOT_FOUND, "is 4711 (row 1)", set({adapter, 4711}));
    Table stranger;
    const lk_lora_module module{sizeof module, 0, 64, 40, nullptr};
    LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, stranger.out()));
    int64_t id = 0;
    LK_EXPECT_OK(lk_lora_table_add(context, stranger, nullptr, 0, &id));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "not in the batch's table", set({id}));
    LK_EXPECT_OK(lk_lora_table_remove(table, adapter));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "never added or is removed", lk_lora_table_remove(table, adapter));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "(row 0)", set({adapter}));
}

TEST_F(Status, Busy) {
    const lk::ContextLock inside(context);
    std::thread([&] { LK_EXPECT_ERROR(LK_BUSY, "one thread at a time", lk_context_synchronize(context)); }).join();
    Buffer buffer;
    LK_EXPECT_OK(lk_buffer_create(context, 10, buffer.out()));  // memory may be had meanwhile
}

TEST_F(Status, AbiMismatch) {
    lk_context_options options = context_options();
    options.abi_version = 99;
    Context other;
    LK_EXPECT_ERROR(LK_ABI_MISMATCH, "abi_version: is 99", lk_context_create(&options, other.out()));
    options = context_options();
    options.struct_size = 8;
    LK_EXPECT_ERROR(LK_ABI_MISMATCH, "options.struct_size: is 8", lk_context_create(&options, other.out()));
}

TEST_F(Status, DeviceUnavailable) {
    int32_t count = -1;
    LK_EXPECT_OK(lk_device_count(LK_DEVICE_CUDA, &count));
    EXPECT_GE(count, 0);
    lk_context_options options = context_options();
    options.device_kind = LK_DEVICE_CUDA;
    options.device_index = count;
    Context other;
    LK_EXPECT_ERROR(LK_DEVICE_UNAVAILABLE, "CUDA", lk_context_create(&options, other.out()));
    lk_device_info info{};
    info.struct_size = sizeof info;
    LK_EXPECT_ERROR(LK_DEVICE_UNAVAILABLE, "number 0", lk_device_describe(LK_DEVICE_CPU, 1, &info));
}

TEST_F(Status, InternalIsWhatAnUnexpectedExceptionBecomes) {
    EXPECT_EQ(LK_INTERNAL, guard([] { throw std::logic_error("surprise"); }));
    EXPECT_STREQ(lk_last_error(), "surprise");
    EXPECT_EQ(LK_INTERNAL, guard([] { throw 42; }));
    EXPECT_EQ(LK_OUT_OF_MEMORY, guard([] { throw std::bad_alloc(); }));
}

TEST_F(Status, AFailedCallChangesNothing) {
    LK_EXPECT_OK(set({adapter, LK_ADAPTER_NONE}));
    EXPECT_NE(LK_OK, set({4711}));
    Matrix x = random_matrix(2, 64, 1), y(2, 40);
    const lk_matrix x_view = x.view(), y_view = y.view();
    LK_EXPECT_OK(lk_lora_apply(context, &x_view, batch, 0, &y_view));
    EXPECT_NE(y.at(0, 0), 0.0f);
    EXPECT_EQ(y.at(1, 0), 0.0f);
}

TEST_F(Status, MessagesBelongToTheirThread) {
    EXPECT_NE(LK_OK, lk_cpu_set_thread_count(-5));
    std::thread([] { EXPECT_STREQ(lk_last_error(), ""); }).join();
    EXPECT_NE(std::string(lk_last_error()).find("-5"), std::string::npos);
}

}  // namespace
}  // namespace lk::test
