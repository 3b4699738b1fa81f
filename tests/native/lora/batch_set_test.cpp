// Setting a batch: what it finds, holds and lets go, and that it allocates nothing once it has had its size.
#include <algorithm>

#include "lora/batch.h"
#include "support/abi.h"
#include "support/allocations.h"

namespace lk::test {
namespace {

constexpr int64_t kIn = 24, kOut = 16;

class BatchSet : public testing::Test {
  protected:
    BatchSet() {
        const lk_lora_module module{sizeof module, 0, kIn, kOut, nullptr};
        LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, table.out()));
        const lk_lora_batch_options capacities{sizeof capacities, 0, 1024, 1024, 1024, 1024};
        LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
    }

    int64_t add(int64_t rank = 2) {
        Matrix a = random_matrix(rank, kIn, 1), b = random_matrix(kOut, rank, 2);
        const lk_lora_factors factors{sizeof factors, 0, 0, 0.5f, a.view(), b.view(), {}, {}};
        int64_t id = 0;
        LK_EXPECT_OK(lk_lora_table_add(context, table, &factors, 1, &id));
        return id;
    }

    lk_status set(const std::vector<int64_t>& adapters) {
        const lk_lora_assignment assignment{sizeof assignment, 0,      int64_t(adapters.size()), nullptr,
                                            adapters.data(),   nullptr};
        return lk_lora_batch_set(context, batch, &assignment);
    }

    int64_t bytes() {
        int64_t result = 0;
        LK_EXPECT_OK(lk_lora_table_bytes(table, &result));
        return result;
    }

    BatchPlans::Lease plan() { return static_cast<lk_lora_batch*>(batch)->plan(); }

    Context context = make_context();
    Table table;
    Batch batch;
};

TEST_F(BatchSet, AllocatesNothingAfterItsLargestContents) {
    std::vector<int64_t> ids;
    for (int i = 0; i < 1000; ++i) ids.push_back(add());
    std::vector<std::vector<int64_t>> contents;
    std::mt19937 random(3);
    for (int step = 0; step < 20; ++step) {
        std::vector<int64_t> adapters(size_t(step % 3 == 0 ? 256 : 200));
        for (int64_t& adapter : adapters) adapter = random() % 10 == 0 ? 0 : ids[random() % ids.size()];
        contents.push_back(std::move(adapters));
    }
    std::vector<int64_t> all(ids.begin(), ids.begin() + 256);
    all.back() = ids.back();
    for (int warmup = 0; warmup < 2; ++warmup) LK_ASSERT_OK(set(all));
    for (const auto& adapters : contents) {
        const CountAllocations allocations;
        LK_ASSERT_OK(set(adapters));
        EXPECT_EQ(allocations.count(), 0);
    }
}

TEST_F(BatchSet, SegmentsAreInTheOrderOfFirstAppearanceWhateverWasSetBefore) {
    const int64_t a = add(), b = add(), c = add();
    for (const auto& ids : {std::vector<int64_t>{c, 0, a, c, b}, {b, b, a}, {a, c, a, b}}) {
        LK_ASSERT_OK(set(ids));
        const auto plan = this->plan();
        std::vector<int64_t> expected;
        for (size_t e = 0; e < ids.size(); ++e) {
            if (ids[e] == 0) {
                EXPECT_EQ(plan->segment_of_entry[e], -1);
                continue;
            }
            const auto known = std::find(expected.begin(), expected.end(), ids[e]);
            EXPECT_EQ(plan->segment_of_entry[e], int32_t(known - expected.begin()));
            if (known == expected.end()) expected.push_back(ids[e]);
        }
        EXPECT_EQ(plan->segments.size(), expected.size());
    }
}

TEST_F(BatchSet, WhatIsRemovedGoesWithTheLastPlanThatHasIt) {
    const int64_t first = add(), second = add(20);
    const int64_t of_first = bytes() - [&] {
        int64_t result = 0;
        LK_EXPECT_OK(lk_lora_adapter_bytes(table, second, &result));
        return result;
    }();
    LK_ASSERT_OK(set({first, second, first}));
    LK_ASSERT_OK(set({second}));
    LK_ASSERT_OK(lk_lora_table_remove(table, first));  // only plans of before had it
    const int64_t of_second = bytes();
    EXPECT_GT(of_first, 0);
    LK_ASSERT_OK(lk_lora_table_remove(table, second));
    EXPECT_EQ(bytes(), of_second);
    {
        const auto used = plan();
        LK_ASSERT_OK(set({}));
        EXPECT_EQ(bytes(), of_second);  // an operation has it
        LK_ASSERT_OK(set({}));
        EXPECT_EQ(bytes(), of_second);
        EXPECT_EQ(used->segments.size(), 1u);
    }
    EXPECT_EQ(bytes(), 0);
}

TEST_F(BatchSet, AFailureHoldsNothing) {
    const int64_t first = add(), second = add();
    LK_ASSERT_OK(set({first}));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "row 1", set({second, 1234567}));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "row 0", set({-3}));
    EXPECT_EQ(plan()->rows, 1);
    const int64_t before = bytes();
    LK_ASSERT_OK(lk_lora_table_remove(table, second));
    EXPECT_LT(bytes(), before);
    LK_EXPECT_ERROR(LK_NOT_FOUND, "is not in the table", lk_lora_table_remove(table, second));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "is not in the table", lk_lora_table_remove(table, 0));
}

// Ids in one order, gone in another: every one is found until it is removed, and none after.
TEST_F(BatchSet, AdaptersAreFoundAfterManyHaveComeAndGone) {
    std::vector<int64_t> ids;
    std::mt19937 random(5);
    for (int step = 0; step < 2000; ++step) {
        if (ids.size() < 100 && random() % 3 != 0) {
            ids.push_back(add());
        } else if (!ids.empty()) {
            const size_t which = random() % ids.size();
            const int64_t id = ids[which];
            ids.erase(ids.begin() + ptrdiff_t(which));
            LK_ASSERT_OK(lk_lora_table_remove(table, id));
            LK_EXPECT_ERROR(LK_NOT_FOUND, "never added or is removed", set({id}));
        }
        if (step % 50 == 0) {
            LK_ASSERT_OK(set(ids));
        }
    }
    LK_ASSERT_OK(set(ids));
    EXPECT_EQ(plan()->segments.size(), ids.size());
}

}  // namespace
}  // namespace lk::test
