// Shrink, expand and both together on the emulated device, against the CPU's reference path.
#include <algorithm>

#include "emulated/backend/lora_rig.h"
#include "lora/table.h"

namespace lk::test {
namespace {

constexpr lk_dtype F32 = LK_DTYPE_F32;
constexpr lk_dtype F16 = LK_DTYPE_F16;
constexpr lk_dtype BF16 = LK_DTYPE_BF16;

struct Case {
    const char* name;
    LoraShape shape;
    lk_dtype dtype;
    Assignment rows;
    int64_t padding = 8;  // of rows of x: with 8 they begin at multiples of 16 bytes
};

// Rows take turns among the adapters, in blocks, the row without one among them.
Assignment turns(int64_t rows, int adapters, int64_t block = 1) {
    Assignment result;
    for (int64_t r = 0; r < rows; ++r) result.push_back({{int(r / block % (adapters + 1)) - 1}});
    return result;
}

// Unsorted, up to three a row, in different orders.
Assignment stacked(int64_t rows, int adapters) {
    Assignment result(static_cast<size_t>(rows));
    for (int64_t r = 0; r < rows; ++r) {
        for (int64_t i = 0; i < r % 4; ++i) {
            result[size_t(r)].push_back({int((r * 7 + i * (r % 3 + 1)) % adapters), i % 2 == 0 ? 0.5f : -1.25f});
        }
    }
    return result;
}

LoraShape with(int64_t in, int64_t out, std::vector<int64_t> ranks, lk_dtype a = F16, lk_dtype b = F16) {
    return {.in = in, .out = out, .slices = {{0, out}}, .ranks = std::move(ranks), .a_dtype = a, .b_dtype = b};
}

LoraShape fused(int64_t in, std::vector<int64_t> ranks, lk_dtype a = F16, lk_dtype b = F16) {
    return {.in = in,
            .out = 150,
            .slices = {{0, 40}, {40, 33}, {80, 70}},
            .ranks = std::move(ranks),
            .a_dtype = a,
            .b_dtype = b};
}

std::vector<int64_t> equal_ranks(int count, int64_t rank) {
    return std::vector<int64_t>(size_t(count), rank);
}

class BackendLora : public BackendTest, public testing::WithParamInterface<Case> {
  protected:
    BackendLora() {
        emulated.set(GetParam().rows);
        reference.set(GetParam().rows);
    }

    int64_t rows() const { return int64_t(GetParam().rows.size()); }

    LoraRig emulated{emulated_options(), GetParam().shape};
    LoraRig reference{context_options(LK_CPU_REFERENCE), GetParam().shape};
    Matrix x = random_matrix(rows(), GetParam().shape.in, 3);
    Matrix y = random_matrix(rows(), GetParam().shape.out, 4);
};

TEST_P(BackendLora, IsExactEnoughWithBothRoundings) {
    const Case& c = GetParam();
    const Matrix values = reference.shrink(x, c.dtype);
    const Matrix applied = reference.apply(x, y, c.dtype);
    const Matrix expanded = reference.expand(values, y, c.dtype);
    for (const char* const options : {"seed=3,rounding=exact", "seed=4,rounding=truncate"}) {
        LK_ASSERT_OK(lk_emulated_configure_text(options));
        EXPECT_LE(relative_error(emulated.shrink(x, c.dtype, c.padding), values), 1e-5) << options;
        EXPECT_LE(relative_error(emulated.apply(x, y, c.dtype, c.padding), applied), tolerance(c.dtype)) << options;
        EXPECT_LE(relative_error(emulated.expand(values, y, c.dtype), expanded), tolerance(c.dtype)) << options;
    }
}

TEST_P(BackendLora, RowsWithoutAdapterKeepTheirBits) {
    const Case& c = GetParam();
    const DeviceMatrix before(emulated.context, y, c.dtype);
    const std::vector<uint32_t> old_bits = bits_of(before.download());
    const std::vector<uint32_t> bits = bits_of(emulated.apply(x, y, c.dtype, c.padding));
    for (int64_t r = 0; r < rows(); ++r) {
        const auto& entries = c.rows[size_t(r)];
        if (std::any_of(entries.begin(), entries.end(), [](const RowEntry& e) { return e.adapter >= 0; })) continue;
        const auto first = ptrdiff_t(r * y.columns);
        EXPECT_TRUE(std::equal(bits.begin() + first, bits.begin() + first + y.columns, old_bits.begin() + first)) << r;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Lora, BackendLora,
    testing::Values(Case{"OneAdapterOneRow", with(128, 96, {16}), F16, {{{0}}}},
                    Case{"NoAdapter", with(64, 40, {8}), F16, turns(5, 0)},
                    Case{"FiveMixedRanks", with(256, 70, {1, 3, 8, 48, 64}), F16, turns(12, 5)},
                    Case{"SixtyFour", with(96, 64, equal_ranks(64, 8)), F16, turns(64, 64)},
                    Case{"SixtyFourBF16", with(96, 33, equal_ranks(64, 3), BF16, BF16), BF16, turns(65, 64)},
                    Case{"ManyRowsOfOne", with(320, 96, {16}), F16, turns(80, 1, 40)},
                    Case{"ManyRowsOfThreeBF16", with(160, 72, {3, 20, 8}, BF16, BF16), BF16, turns(130, 3, 11)},
                    Case{"Rank320", with(64, 40, {320, 5}), F16, turns(20, 2, 6)},
                    Case{"Rank320F32", with(64, 40, {320, 5}, F32, F32), F32, turns(9, 2)},
                    Case{"DeepInPieces", with(3420, 40, {16, 9}), F16, turns(6, 2)},
                    Case{"DeepInPiecesMany", with(3424, 40, {16, 9}), F16, turns(40, 2, 9)},
                    Case{"Unaligned", with(101, 50, {17}), F16, turns(12, 1), 3},
                    Case{"MixedDtypes", with(128, 64, {16, 7}, F32, BF16), F16, turns(14, 2)},
                    Case{"MixedDtypesOfFactors", with(128, 64, {16, 7}, BF16, F32), F16, turns(40, 2, 7)},
                    Case{"F32OfF16Factors", with(128, 64, {16, 7}), F32, turns(14, 2)},
                    Case{"Stacked", with(128, 64, {16, 7, 33}), F16, stacked(45, 3)},
                    Case{"StackedSlices", fused(128, {16, 7, 33}), BF16, stacked(23, 3)},
                    Case{"Slices", fused(96, {8, 24, 5}), F16, turns(50, 3, 5)},
                    Case{"SlicesF32", fused(96, {8, 24, 5}, F32, F16), F32, turns(10, 3)}),
    [](const auto& info) { return info.param.name; });

class BackendLoraRules : public BackendTest {};

// Of every row of a batch, whatever its adapter: none, the one that is not finite, one that is.
TEST_F(BackendLoraRules, AdaptersThatAreNotFiniteTouchTheirRowsOnly) {
    for (const auto& [dtype, rows] : {std::pair{F16, 12}, {BF16, 40}, {F32, 9}}) {
        const LoraShape shape = with(128, 64, {16, 8}, dtype, dtype);
        for (const float bad : {INFINITY, -INFINITY, NAN}) {
            LoraRig rig(emulated_options(), shape);
            const Matrix x = random_matrix(rows, shape.in, 3), y = random_matrix(rows, shape.out, 4);
            Assignment assignment = turns(rows, 2);
            rig.set(assignment);
            const Matrix clean = rig.apply(x, y, dtype, 8);
            rig.adapters[0] = rig.add(16, 70, bad);
            rig.set(assignment);
            const Matrix actual = rig.apply(x, y, dtype, 8);
            for (int64_t r = 0; r < rows; ++r) {
                for (int64_t n = 0; n < shape.out; ++n) {
                    const float value = actual.values[size_t(r * shape.out + n)];
                    if (assignment[size_t(r)][0].adapter == 0) {
                        EXPECT_FALSE(std::isfinite(value)) << r << ", " << n;
                    } else {
                        EXPECT_EQ(value, clean.values[size_t(r * shape.out + n)]) << r << ", " << n;
                    }
                }
            }
        }
    }
}

// Two slices share a tile of y: what one of them is not leaves the other's columns alone.
TEST_F(BackendLoraRules, SlicesThatAreNotFiniteTouchTheirColumnsOnly) {
    const LoraShape shape = fused(96, {8});
    LoraRig rig(emulated_options(), shape);
    const Matrix x = random_matrix(6, shape.in, 3), y = random_matrix(6, shape.out, 4);
    rig.adapters[0] = rig.add(8, 70, INFINITY, 0);
    rig.set(Assignment(6, {{0}}));
    const Matrix actual = rig.apply(x, y, F16, 8);
    for (int64_t r = 0; r < 6; ++r) {
        for (int64_t n = 0; n < shape.out; ++n)
            EXPECT_EQ(std::isfinite(actual.values[size_t(r * shape.out + n)]), n >= 40) << r << ", " << n;
    }
}

TEST_F(BackendLoraRules, GivesTheSameBitsTwentyTimes) {
    const LoraShape shape = with(1056, 72, {16, 40, 3});
    LoraRig rig(emulated_options(), shape);
    Assignment assignment = stacked(20, 3);
    for (int r = 0; r < 10; ++r) assignment.push_back({{1}});
    rig.set(assignment);
    const Matrix x = random_matrix(30, shape.in, 3), y = random_matrix(30, shape.out, 4);
    const std::vector<uint32_t> first = bits_of(rig.apply(x, y, F16, 8));
    for (int run = 1; run < 20; ++run) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(run + 100)).c_str()));
        EXPECT_EQ(bits_of(rig.apply(x, y, F16, 8)), first) << run;
    }
}

// Few rows: one launch, recorded once and replayed with other rows, adapters and schedules.
TEST_F(BackendLoraRules, ServesChangedBatchesInOneLaunch) {
    constexpr int64_t kRows = 8;
    const LoraShape shape = with(1056, 300, {16, 40, 3});
    LoraRig rig(emulated_options(), shape), plain(emulated_options(), shape);
    const Matrix before = random_matrix(kRows, shape.out, 4);
    DeviceMatrix x(rig.context, kRows, shape.in, F16, 8), y(rig.context, kRows, shape.out, F16, 8);
    rig.set(turns(kRows, 3));
    rig.apply(random_matrix(kRows, shape.in, 1), before, F16, 8);  // makes the workspace
    Graph graph;
    LK_ASSERT_OK(lk_capture_begin(rig.context));
    LK_EXPECT_OK(lk_lora_apply(rig.context, &x.view, rig.batch, 0, &y.view));
    LK_ASSERT_OK(lk_capture_end(rig.context, graph.out()));
    uint32_t seed = 100;
    for (const Assignment& rows : {turns(kRows, 3), stacked(kRows, 3), turns(kRows, 0), turns(kRows, 1)}) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(++seed)).c_str()));
        const Matrix input = random_matrix(kRows, shape.in, seed);
        x.upload(input);
        y.upload(before);
        rig.set(rows);
        plain.set(rows);
        const int64_t launches = statistics().launches;
        LK_ASSERT_OK(lk_graph_launch(rig.context, graph));
        LK_ASSERT_OK(lk_context_synchronize(rig.context));
        EXPECT_EQ(statistics().launches, launches + 1);
        EXPECT_EQ(bits_of(y.download()), bits_of(plain.apply(input, before, F16, 8)));
    }
}

// What fp16 cannot hold between shrink and expand.
TEST_F(BackendLoraRules, LargeAndSmallValuesBetweenKeepTheirPrecision) {
    for (const float magnitude : {1e-30f, 1e-6f, 1e8f, 1e30f}) {
        const LoraShape shape = with(64, 64, {16});
        LoraRig emulated(emulated_options(), shape), reference(context_options(LK_CPU_REFERENCE), shape);
        Matrix values = random_matrix(10, 16, 8);
        for (float& value : values.values) value *= magnitude;
        const Matrix y(10, 64);
        emulated.set(Assignment(10, {{0}}));
        reference.set(Assignment(10, {{0}}));
        EXPECT_LE(relative_error(emulated.expand(values, y, BF16), reference.expand(values, y, BF16)), 8e-3)
            << magnitude;
    }
}

// y cancels what the values' upper halves give: what is left is what their lower halves do.
TEST_F(BackendLoraRules, ValuesBetweenKeepTwiceTheBitsOfTheirType) {
    for (const lk_dtype dtype : {F16, BF16}) {
        const LoraShape shape = with(64, 64, {16}, dtype, dtype);
        LoraRig emulated(emulated_options(), shape), reference(context_options(LK_CPU_REFERENCE), shape);
        emulated.set(Assignment(10, {{0}}));
        reference.set(Assignment(10, {{0}}));
        const Matrix values = random_matrix(10, 16, 8);
        Matrix y = reference.expand(values, Matrix(10, 64), F32);
        for (float& value : y.values) value = -value;
        EXPECT_LE(relative_error(emulated.expand(values, y, dtype), reference.expand(values, y, dtype)), 0.02) << dtype;
    }
}

int64_t bytes_read(const void* memory) {
    int64_t read = 0, written = 0;
    LK_EXPECT_OK(lk_emulated_traffic(memory, &read, &written));
    return read;
}

// Where an adapter lies.
const void* memory_of(const LoraRig& rig, int adapter) {
    const void* memory = nullptr;
    static_cast<lk_lora_table*>(rig.table)->table->read(
        [&](const auto& find) { memory = find(rig.adapters[size_t(adapter)])->place->parts().front(); });
    return memory;
}

// Rows without adapter are neither read nor written. A is read once for all rows of an adapter, B once for those of a
// tile of y; the rest is what kernels read about an adapter.
TEST_F(BackendLoraRules, ReadsAndWritesWhatThePlanAsksFor) {
    constexpr int64_t kRows = 64, kIn = 2048, kOut = 1024, kRank = 32;
    LoraRig rig(emulated_options(), with(kIn, kOut, {kRank, kRank}));
    Assignment assignment(kRows, {{-1}});
    for (const size_t row : {2, 9, 30, 31, 7, 8}) assignment[row] = {{0}};
    assignment[50] = {{1}};
    rig.set(assignment);
    DeviceMatrix x(rig.context, kRows, kIn, F16, 8), y(rig.context, random_matrix(kRows, kOut, 4), F16);
    x.upload(random_matrix(kRows, kIn, 3));
    LK_ASSERT_OK(lk_lora_apply(rig.context, &x.view, rig.batch, 0, &y.view));
    LK_ASSERT_OK(lk_context_synchronize(rig.context));
    int64_t read = 0, written = 0;
    LK_ASSERT_OK(lk_emulated_traffic(y.view.data, &read, &written));
    EXPECT_EQ(written, 7 * kOut * 2);
    EXPECT_EQ(read, 7 * kOut * 2);
    for (const int adapter : {0, 1}) {
        EXPECT_LE(double(bytes_read(memory_of(rig, adapter))), 1.05 * double(kRank * (kIn + kOut) * 2)) << adapter;
    }
}

}  // namespace
}  // namespace lk::test
