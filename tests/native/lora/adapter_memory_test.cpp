// What adapters take: known beforehand, by shapes alone, and on the CPU at most a page more than their own.
#include <fstream>
#include <sstream>

#include "lora/table.h"
#include "support/abi.h"

namespace lk::test {
namespace {

// Whether an address belongs to this process.
bool is_mapped(const void* address) {
    std::ifstream maps("/proc/self/maps");
    const auto wanted = reinterpret_cast<uintptr_t>(address);
    for (std::string line; std::getline(maps, line);) {
        std::istringstream range(line);
        uintptr_t begin = 0, end = 0;
        char dash = 0;
        range >> std::hex >> begin >> dash >> end;
        if (wanted >= begin && wanted < end) return true;
    }
    return false;
}

class AdapterMemoryTest : public testing::Test {
  protected:
    AdapterMemoryTest() {
        const lk_output_slice slices[] = {{0, 100}, {100, 28}};
        const lk_lora_module modules[] = {{sizeof(lk_lora_module), 0, 160, 200, nullptr},
                                          {sizeof(lk_lora_module), 2, 160, 128, slices}};
        LK_EXPECT_OK(lk_lora_table_create(context, modules, 2, table.out()));
    }

    static lk_lora_factors shape_of(int32_t module, int32_t slice, int64_t rank, int64_t out,
                                    lk_dtype dtype = LK_DTYPE_F16) {
        return {sizeof(lk_lora_factors),
                module,
                slice,
                1,
                {nullptr, rank, 160, 160, dtype, 0},
                {nullptr, out, rank, rank, dtype, 0},
                {},
                {}};
    }

    int64_t measure(const std::vector<lk_lora_factors>& factors) {
        int64_t bytes = 0;
        LK_EXPECT_OK(lk_lora_table_measure(table, factors.data(), int32_t(factors.size()), &bytes));
        return bytes;
    }

    Context context = make_context();
    Table table;
};

TEST_F(AdapterMemoryTest, OnTheCpuAtMostAPageIsLost) {
    for (const int64_t rank : {1, 8, 12, 64, 500}) {
        const int64_t tiles = (rank + 7) / 8 * 8;
        const int64_t own = tiles * (160 + 200) * 2;
        const int64_t bytes = measure({shape_of(0, 0, rank, 200)});
        EXPECT_GE(bytes, own) << rank;
        EXPECT_LE(bytes, own + 4096) << rank;
        EXPECT_EQ(bytes % 4096, 0) << rank;
    }
    EXPECT_EQ(measure({}), 4096);
}

// 11,520 bytes of factors in fp32, 768 less than three pages; a vector has 800 bytes, in fp32 whatever it was.
TEST_F(AdapterMemoryTest, VectorsAndDtypesCount) {
    lk_lora_factors factors = shape_of(0, 0, 8, 200, LK_DTYPE_F32);
    EXPECT_EQ(measure({factors}), 3 * 4096);
    EXPECT_EQ(measure({shape_of(0, 0, 8, 200)}), 2 * 4096);
    factors.bias = {nullptr, 1, 200, 200, LK_DTYPE_F16, 0};
    EXPECT_EQ(measure({factors}), 4 * 4096);
    std::swap(factors.bias, factors.column_scale);
    EXPECT_EQ(measure({factors}), 4 * 4096);
}

TEST_F(AdapterMemoryTest, MeasuresWithTheErrorsOfAdding) {
    int64_t bytes = 0;
    const lk_lora_factors wrong = shape_of(0, 0, 8, 201), twice[] = {shape_of(1, 1, 8, 28), shape_of(1, 1, 8, 28)};
    LK_EXPECT_ERROR(LK_SHAPE_MISMATCH, "factors[0].b.rows: is 201", lk_lora_table_measure(table, &wrong, 1, &bytes));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "factors[1]: module 1, slice 1 has factors already",
                    lk_lora_table_measure(table, twice, 2, &bytes));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "bytes_out: is NULL", lk_lora_table_measure(table, twice, 1, nullptr));
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "table: is NULL", lk_lora_table_measure(nullptr, twice, 1, &bytes));
    LK_EXPECT_ERROR(LK_NOT_FOUND, "adapter: 99999 is not in the table", lk_lora_adapter_bytes(table, 99999, &bytes));
    int64_t id = 0;
    LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, "factors[].a.data: is NULL", lk_lora_table_add(context, table, twice, 1, &id));
}

TEST_F(AdapterMemoryTest, GoesBackToTheSystemAsAWhole) {
    Matrix a = random_matrix(512, 160, 1), b = random_matrix(200, 512, 2);
    const lk_lora_factors factors{sizeof factors, 0, 0, 1, a.view(), b.view(), {}, {}};
    std::vector<int64_t> ids(8);
    for (int64_t& id : ids) LK_ASSERT_OK(lk_lora_table_add(context, table, &factors, 1, &id));
    const char* first = nullptr;
    static_cast<lk_lora_table*>(table)->table->read(
        [&](const auto& find) { first = find(ids[3])->place->parts().front(); });
    const int64_t each = measure({factors});
    EXPECT_TRUE(is_mapped(first) && is_mapped(first + each - 1));
    int64_t reserved = 0;
    LK_ASSERT_OK(lk_lora_table_reserved_bytes(table, &reserved));
    EXPECT_EQ(reserved, 8 * each);
    LK_ASSERT_OK(lk_lora_table_remove(table, ids[3]));
    EXPECT_FALSE(is_mapped(first) || is_mapped(first + each - 1));
    LK_ASSERT_OK(lk_lora_table_trim(table));
    LK_ASSERT_OK(lk_lora_table_reserved_bytes(table, &reserved));
    EXPECT_EQ(reserved, 7 * each);
}

// Adapters of the host's allocator are one block each, of the context that made the table.
TEST(AdapterAllocator, IsThatOfTheTablesContext) {
    int64_t blocks = 0;
    lk_context_options options = context_options();
    options.allocator = {&blocks,
                         [](void* user, int64_t bytes, int64_t alignment) {
                             ++*static_cast<int64_t*>(user);
                             void* memory = nullptr;
                             return posix_memalign(&memory, size_t(alignment), size_t(bytes)) == 0 ? memory : nullptr;
                         },
                         [](void* user, void* memory, int64_t) {
                             --*static_cast<int64_t*>(user);
                             std::free(memory);
                         }};
    Context hosted, other = make_context();
    LK_ASSERT_OK(lk_context_create(&options, hosted.out()));
    const lk_lora_module module{sizeof module, 0, 32, 16, nullptr};
    Table table;
    LK_ASSERT_OK(lk_lora_table_create(hosted, &module, 1, table.out()));
    Matrix a = random_matrix(3, 32, 1), b = random_matrix(16, 3, 2);
    const lk_lora_factors factors{sizeof factors, 0, 0, 1, a.view(), b.view(), {}, {}};
    int64_t id = 0;
    LK_ASSERT_OK(lk_lora_table_add(other, table, &factors, 1, &id));
    EXPECT_EQ(blocks, 1);
    LK_ASSERT_OK(lk_lora_table_remove(table, id));
    EXPECT_EQ(blocks, 0);
}

}  // namespace
}  // namespace lk::test
