// What goes wrong on a device, as the status that says what to do.
#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

class BackendStatus : public BackendTest {};

TEST_F(BackendStatus, OutOfMemoryNamesTheBytesAndPasses) {
    Context context = make_context(emulated_options());
    Buffer buffer;
    LK_ASSERT_OK(lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    LK_EXPECT_ERROR(LK_OUT_OF_MEMORY, "12345 bytes for a buffer", lk_buffer_create(context, 12345, buffer.out()));
    LK_EXPECT_OK(lk_buffer_create(context, 12345, buffer.out()));
    LK_EXPECT_ERROR(LK_OUT_OF_MEMORY, "for a buffer", lk_buffer_create(context, int64_t(1) << 31, buffer.out()));
    LK_EXPECT_OK(lk_context_synchronize(context));
}

// Each allocation fails in turn: nothing leaks, and the next attempt works.
TEST_F(BackendStatus, EveryAllocationMayFail) {
    Context context = make_context(emulated_options());
    Tensors tensors(nf4_sizes(20, 64, 32, 256));
    fill(tensors, 1);
    const int64_t handles = lk_live_handles(), bytes = live_bytes();
    Weight weight;
    LK_ASSERT_OK(lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    LK_EXPECT_ERROR(LK_OUT_OF_MEMORY, "a weight's codes", lk_weight_pack(context, &tensors.view, weight.out()));
    EXPECT_EQ(lk_live_handles(), handles);
    EXPECT_EQ(live_bytes(), bytes);
    LK_EXPECT_OK(lk_weight_pack(context, &tensors.view, weight.out()));

    const lk_lora_module module{sizeof module, 0, 64, 20, nullptr};
    Table table;
    LK_ASSERT_OK(lk_lora_table_create(context, &module, 1, table.out()));
    const lk_lora_batch_options capacities{sizeof capacities, 0, 4, 4, 4, 4};
    Batch batch;
    LK_ASSERT_OK(lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    LK_EXPECT_ERROR(LK_OUT_OF_MEMORY, "a batch", lk_lora_batch_create(context, table, &capacities, batch.out()));
    Matrix a = random_matrix(3, 64, 1), b = random_matrix(20, 3, 2);
    const lk_lora_factors factors{sizeof factors, 0, 0, 1, a.view(), b.view(), {}, {}};
    int64_t id = 0;
    LK_ASSERT_OK(lk_emulated_fail_next(LK_EMULATED_OUT_OF_MEMORY));
    LK_EXPECT_ERROR(LK_OUT_OF_MEMORY, "an adapter", lk_lora_table_add(context, table, &factors, 1, &id));
    int64_t held = -1;
    LK_EXPECT_OK(lk_lora_table_bytes(table, &held));
    EXPECT_EQ(held, 0);
}

TEST_F(BackendStatus, ALostDeviceFailsEveryFurtherCall) {
    Context survivor = make_context(emulated_options(1));
    {
        Rig rig(emulated_options(0), {});
        LK_ASSERT_OK(rig.set({0, 1}));
        DeviceMatrix x(rig.context, random_matrix(2, rig.shape.in, 1), LK_DTYPE_F32),
            y(rig.context, 2, rig.shape.out, LK_DTYPE_F32);
        LK_ASSERT_OK(lk_emulated_fail_next(LK_EMULATED_LOST_DEVICE));
        lk_linear(rig.context, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view);
        LK_EXPECT_ERROR(LK_DEVICE_LOST, "restart", lk_context_synchronize(rig.context));
        EXPECT_EQ(LK_DEVICE_LOST, lk_matmul(rig.context, &x.view, rig.weight, nullptr, &y.view));
        Buffer buffer;
        EXPECT_EQ(LK_DEVICE_LOST, lk_buffer_create(rig.context, 10, buffer.out()));
        // Destroying frees it all the same, and says what is the matter.
        EXPECT_EQ(LK_DEVICE_LOST, rig.destroy_context());
    }
    LK_EXPECT_OK(lk_context_synchronize(survivor));
}

TEST_F(BackendStatus, ADriverThatIsTooOldIsNamed) {
    LK_ASSERT_OK(lk_emulated_fail_next(LK_EMULATED_DRIVER_TOO_OLD));
    Context context;
    const lk_context_options options = emulated_options();
    LK_EXPECT_ERROR(LK_DRIVER_TOO_OLD, "driver", lk_context_create(&options, context.out()));
    LK_EXPECT_OK(lk_context_create(&options, context.out()));
}

TEST_F(BackendStatus, WithoutADriverThereIsNoDeviceAndAReason) {
    LK_ASSERT_OK(lk_emulated_configure_text("driver=0"));
    int32_t count = -1;
    LK_EXPECT_OK(lk_device_count(LK_DEVICE_EMULATED, &count));
    EXPECT_EQ(count, 0);
    lk_device_info info{};
    info.struct_size = sizeof info;
    LK_EXPECT_ERROR(LK_DEVICE_UNAVAILABLE, "no NVIDIA driver", lk_device_describe(LK_DEVICE_EMULATED, 0, &info));
    Context context;
    const lk_context_options options = emulated_options();
    LK_EXPECT_ERROR(LK_DEVICE_UNAVAILABLE, "no NVIDIA driver", lk_context_create(&options, context.out()));
    LK_EXPECT_OK(lk_emulated_configure_text("driver=12040"));
}

TEST_F(BackendStatus, AnArchitectureWithoutKernelsIsNamedWhenTheContextIsMade) {
    LK_ASSERT_OK(lk_emulated_configure_text("architecture=75"));
    Context context;
    const lk_context_options options = emulated_options();
    LK_EXPECT_ERROR(LK_ARCHITECTURE_NOT_BUILT, "sm_75", lk_context_create(&options, context.out()));
    LK_EXPECT_OK(lk_emulated_configure_text("architecture=90"));
}

TEST_F(BackendStatus, TheDeviceDescribesItself) {
    Context context = make_context(emulated_options(1));
    lk_device_info of_context{}, of_device{};
    of_context.struct_size = of_device.struct_size = sizeof of_context;
    LK_ASSERT_OK(lk_context_describe(context, &of_context));
    LK_ASSERT_OK(lk_device_describe(LK_DEVICE_EMULATED, 1, &of_device));
    EXPECT_EQ(of_context.kind, LK_DEVICE_EMULATED);
    EXPECT_EQ(of_context.index, 1);
    EXPECT_STREQ(of_context.isa, "sm_90");
    EXPECT_STREQ(of_context.name, of_device.name);
    EXPECT_EQ(of_context.memory_bytes, 1 << 30);
    EXPECT_GT(of_context.compute_units, 0);
}

TEST_F(BackendStatus, AnElementThatIsNotFiniteIsNamed) {
    Context context = make_context(emulated_options());
    for (const int64_t columns : {5, 64, 101}) {
        Matrix w = random_matrix(9, columns, 1);
        w.at(8, 3) = NAN;
        w.at(7, columns - 1) = INFINITY;
        const DeviceMatrix on_device(context, w, LK_DTYPE_BF16);
        const lk_quantize_options options{sizeof options, LK_FORMAT_BNB_NF4, 64, 0, LK_DTYPE_F32, 0};
        Weight weight;
        LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "w[7, " + std::to_string(columns - 1) + "]: is inf",
                        lk_quantize(context, &on_device.view, &options, weight.out()));
    }
}

TEST_F(BackendStatus, ABorrowedWorkspaceThatIsTooSmallSaysWhatIsNeeded) {
    Rig rig(emulated_options(), {});
    LK_ASSERT_OK(rig.set({0, 1}));
    const lk_workspace_query query{sizeof query, 0, 2, rig.shape.in, rig.shape.out, rig.batch};
    int64_t bytes = 0;
    LK_ASSERT_OK(lk_workspace_bytes(rig.context, &query, &bytes));
    Buffer buffer;
    LK_ASSERT_OK(lk_buffer_create(rig.context, bytes, buffer.out()));
    void* data = nullptr;
    LK_ASSERT_OK(lk_buffer_data(buffer, &data));
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, data, 1));
    DeviceMatrix x(rig.context, random_matrix(2, rig.shape.in, 1), LK_DTYPE_F32),
        y(rig.context, 2, rig.shape.out, LK_DTYPE_F32);
    const auto linear = [&] { return lk_linear(rig.context, &x.view, rig.weight, rig.batch, 0, nullptr, &y.view); };
    LK_EXPECT_ERROR(LK_CAPACITY_EXCEEDED, "has 1 bytes, this operation needs ", linear());
    const std::string message = lk_last_error();
    const int64_t needed = std::stoll(message.substr(message.find("needs ") + 6));
    EXPECT_LE(needed, bytes);
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, data, needed - 1));
    LK_EXPECT_ERROR(LK_CAPACITY_EXCEEDED, "needs " + std::to_string(needed), linear());
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, data, needed));
    const int64_t before = statistics().allocations;
    LK_EXPECT_OK(linear());
    EXPECT_EQ(statistics().allocations, before);
    LK_ASSERT_OK(lk_context_set_workspace(rig.context, nullptr, 0));
}

}  // namespace
}  // namespace lk::test
