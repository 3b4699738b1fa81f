// Several threads with a context each share a weight, a table and a batch, while adapters come and go and the batch is
// set anew. The results stay those of one thread; a thread sanitizer watches the rest.
#include <atomic>
#include <thread>

#include "support/abi.h"

namespace lk::test {
namespace {

constexpr int64_t kRows = 5, kIn = 96, kOut = 70;

int64_t add_adapter(lk_context* context, lk_lora_table* table, int64_t rank, uint32_t seed) {
    Matrix a = random_matrix(rank, kIn, seed), b = random_matrix(kOut, rank, seed + 1);
    const lk_lora_factors factors{sizeof factors, 0, 0, 0.5f, a.view(), b.view(), {}, {}};
    int64_t id = 0;
    LK_EXPECT_OK(lk_lora_table_add(context, table, &factors, 1, &id));
    return id;
}

TEST(Concurrency, SharedObjectsGiveEveryThreadTheSameBits) {
    lk_cpu_set_thread_count(3);
    Context main = make_context();
    Tensors tensors(nf4_sizes(kOut, kIn, 32, 256));
    fill(tensors, 1);
    Weight weight;
    LK_ASSERT_OK(lk_weight_pack(main, &tensors.view, weight.out()));
    const lk_lora_module module{sizeof module, 0, kIn, kOut, nullptr};
    Table table;
    LK_ASSERT_OK(lk_lora_table_create(main, &module, 1, table.out()));
    const int64_t first = add_adapter(main, table, 9, 10), second = add_adapter(main, table, 4, 20);
    const lk_lora_batch_options capacities{sizeof capacities, 0, kRows, kRows, 3, 20};
    Batch batch;
    LK_ASSERT_OK(lk_lora_batch_create(main, table, &capacities, batch.out()));
    const int64_t adapters[kRows] = {first, 0, second, second, first};
    const lk_lora_assignment assignment{sizeof assignment, 0, kRows, nullptr, adapters, nullptr};
    LK_ASSERT_OK(lk_lora_batch_set(main, batch, &assignment));

    Matrix x = random_matrix(kRows, kIn, 3);
    const lk_matrix x_view = x.view();
    const auto compute = [&](lk_context* context) {
        Matrix y(kRows, kOut);
        const lk_matrix y_view = y.view();
        LK_EXPECT_OK(lk_linear(context, &x_view, weight, batch, 0, nullptr, &y_view));
        return y.values;
    };
    const std::vector<float> expected = compute(main);

    std::atomic<bool> stop{false};
    std::thread changer([&] {
        Context context = make_context();
        for (uint32_t seed = 100; !stop; ++seed) {
            const int64_t id = add_adapter(context, table, 1 + seed % 20, seed);
            LK_EXPECT_OK(lk_lora_batch_set(context, batch, &assignment));
            int64_t bytes = 0;
            LK_EXPECT_OK(lk_lora_table_bytes(table, &bytes));
            LK_EXPECT_OK(lk_lora_table_remove(table, id));
        }
    });
    std::vector<std::thread> workers;
    for (int t = 0; t < 4; ++t) {
        workers.emplace_back([&] {
            Context context = make_context();
            for (int round = 0; round < 50; ++round) EXPECT_EQ(compute(context), expected);
        });
    }
    for (std::thread& worker : workers) worker.join();
    stop = true;
    changer.join();
    lk_cpu_set_thread_count(0);
}

TEST(Concurrency, ABatchKeepsWhatItHoldsWhenTableAndAdaptersGo) {
    Context context = make_context();
    Table table;
    Batch batch;
    const lk_lora_module module{sizeof module, 0, kIn, kOut, nullptr};
    LK_ASSERT_OK(lk_lora_table_create(context, &module, 1, table.out()));
    const int64_t id = add_adapter(context, table, 9, 10);
    const lk_lora_batch_options capacities{sizeof capacities, 0, 1, 1, 1, 2};
    LK_ASSERT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
    const lk_lora_assignment assignment{sizeof assignment, 0, 1, nullptr, &id, nullptr};
    LK_ASSERT_OK(lk_lora_batch_set(context, batch, &assignment));
    Matrix x = random_matrix(1, kIn, 3), before(1, kOut), after(1, kOut);
    const lk_matrix x_view = x.view(), before_view = before.view(), after_view = after.view();
    LK_EXPECT_OK(lk_lora_apply(context, &x_view, batch, 0, &before_view));

    LK_EXPECT_OK(lk_lora_table_remove(table, id));
    int64_t bytes = 0;
    LK_EXPECT_OK(lk_lora_table_bytes(table, &bytes));
    EXPECT_GT(bytes, 0);  // held by the batch
    const lk_lora_assignment nothing{sizeof nothing, 0, 0, nullptr, nullptr, nullptr};
    Batch other;
    LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, other.out()));
    table = Table();
    LK_EXPECT_OK(lk_lora_apply(context, &x_view, batch, 0, &after_view));
    EXPECT_EQ(before.values, after.values);
    LK_EXPECT_OK(lk_lora_batch_set(context, batch, &nothing));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "never added or is removed", lk_lora_batch_set(context, other, &assignment));
}

}  // namespace
}  // namespace lk::test
