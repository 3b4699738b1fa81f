// The host's allocator: every allocation may fail, and each failure loses nothing.
#include <cstdlib>

#include "support/abi.h"

namespace lk::test {
namespace {

struct Counter {
    int64_t live_bytes = 0;
    int64_t live_blocks = 0;
    int64_t allocations = 0;
    int64_t fail_at = -1;  // the allocation to refuse
};

lk_context_options counted_options(Counter& counter) {
    lk_context_options options = context_options();
    options.allocator = {
        &counter,
        [](void* user, int64_t bytes, int64_t alignment) -> void* {
            auto& c = *static_cast<Counter*>(user);
            if (c.allocations++ == c.fail_at) return nullptr;
            c.live_bytes += bytes;
            ++c.live_blocks;
            return std::aligned_alloc(size_t(alignment), size_t((bytes + alignment - 1) / alignment * alignment));
        },
        [](void* user, void* memory, int64_t bytes) {
            auto& c = *static_cast<Counter*>(user);
            c.live_bytes -= bytes;
            --c.live_blocks;
            std::free(memory);
        },
    };
    return options;
}

// Makes one of everything and computes with it; stops at the first failure.
lk_status everything(Counter& counter) {
    const lk_context_options options = counted_options(counter);
    Context context;
    if (const lk_status s = lk_context_create(&options, context.out()); s != LK_OK) return s;
    Buffer buffer;
    if (const lk_status s = lk_buffer_create(context, 100, buffer.out()); s != LK_OK) return s;
    Tensors tensors(q4_0_sizes(40, 64));
    fill(tensors, 1);
    Weight weight;
    if (const lk_status s = lk_weight_pack(context, &tensors.view, weight.out()); s != LK_OK) return s;
    const lk_lora_module module{sizeof module, 0, 64, 40, nullptr};
    Table table;
    if (const lk_status s = lk_lora_table_create(context, &module, 1, table.out()); s != LK_OK) return s;
    Matrix a = random_matrix(4, 64, 1), b = random_matrix(40, 4, 2);
    const lk_lora_factors factors{sizeof factors, 0, 0, 1.0f, a.view(), b.view(), {}, {}};
    int64_t id = 0;
    if (const lk_status s = lk_lora_table_add(context, table, &factors, 1, &id); s != LK_OK) {
        int64_t bytes = -1;
        LK_EXPECT_OK(lk_lora_table_bytes(table, &bytes));
        EXPECT_EQ(bytes, 0);
        return s;
    }
    Batch batch;
    const lk_lora_batch_options capacities{sizeof capacities, 0, 2, 2, 1, 2};
    if (const lk_status s = lk_lora_batch_create(context, table, &capacities, batch.out()); s != LK_OK) return s;
    const int64_t adapters[] = {id, 0};
    const lk_lora_assignment assignment{sizeof assignment, 0, 2, nullptr, adapters, nullptr};
    if (const lk_status s = lk_lora_batch_set(context, batch, &assignment); s != LK_OK) return s;
    Matrix x = random_matrix(2, 64, 3), y(2, 40);
    const lk_matrix x_view = x.view(), y_view = y.view();
    return lk_linear(context, &x_view, weight, batch, 0, nullptr, &y_view);
}

TEST(Allocator, EveryFailureIsReportedAndNothingLeaks) {
    Counter good;
    ASSERT_EQ(LK_OK, everything(good)) << lk_last_error();
    EXPECT_GE(good.allocations, 4);
    EXPECT_EQ(good.live_blocks, 0);
    EXPECT_EQ(good.live_bytes, 0);
    const int64_t handles = lk_live_handles();
    for (int64_t n = 0; n < good.allocations; ++n) {
        Counter counter;
        counter.fail_at = n;
        EXPECT_EQ(LK_OUT_OF_MEMORY, everything(counter)) << n;
        EXPECT_NE(std::string(lk_last_error()).find("out of memory"), std::string::npos) << lk_last_error();
        EXPECT_EQ(counter.live_blocks, 0) << n;
        EXPECT_EQ(counter.live_bytes, 0) << n;
        EXPECT_EQ(lk_live_handles(), handles) << n;
    }
}

TEST(Allocator, IsAllOrNothing) {
    Counter counter;
    lk_context_options options = counted_options(counter);
    options.allocator.release = nullptr;
    Context context;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "allocator.release: is NULL", lk_context_create(&options, context.out()));
}

// What an op may take from a workspace is known beforehand, so that with one nothing is allocated.
TEST(Allocator, ABorrowedWorkspaceMakesOperationsFreeOfAllocation) {
    Counter counter;
    const lk_context_options options = counted_options(counter);
    Context context;
    LK_ASSERT_OK(lk_context_create(&options, context.out()));
    Tensors tensors(nf4_sizes(70, 200, 64, 256));
    fill(tensors, 1);
    Weight weight;
    LK_ASSERT_OK(lk_weight_pack(context, &tensors.view, weight.out()));
    const lk_workspace_query query{sizeof query, 0, 300, 200, 70, nullptr};
    int64_t bytes = 0;
    LK_ASSERT_OK(lk_workspace_bytes(context, &query, &bytes));
    void* const memory = std::aligned_alloc(256, size_t((bytes + 255) / 256 * 256));
    LK_ASSERT_OK(lk_context_set_workspace(context, memory, bytes));
    const int64_t before = counter.allocations;
    for (const int64_t rows : {1, 2, 255, 300}) {
        Matrix x = random_matrix(rows, 200, 3), y(rows, 70);
        const lk_matrix x_view = x.view(), y_view = y.view();
        LK_EXPECT_OK(lk_matmul(context, &x_view, weight, nullptr, &y_view));
    }
    EXPECT_EQ(counter.allocations, before);
    LK_EXPECT_OK(lk_context_set_workspace(context, nullptr, 0));
    std::free(memory);
}

}  // namespace
}  // namespace lk::test
