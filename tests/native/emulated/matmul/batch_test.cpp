// The batch kernels against products that are known exactly, on the emulated device.
#include <cmath>

#include "matmul/batch_rig.h"

namespace lk::cuda::testing {
namespace {

const SampleFormat kInt4 = affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8);
const SampleFormat kTable = table_format("table g64", ScaleKind::f32, 64);

void expect_exact(const SampleFormat& format, lk_dtype dtype, int64_t n, int64_t k, int64_t tokens,
                  const BatchChoice& choice, uint64_t seed, const MatmulCall& call = {}) {
    SCOPED_TRACE("tile " + std::to_string(choice.tokens) + ", slices " + std::to_string(choice.slices) +
                 (choice.slices_apart ? " apart" : ""));
    expect_exact(format, dtype, n, k, tokens, call, seed, batch_of(choice));
}

// An instance of the kernel, in each of its formats.
struct Instance {
    SampleFormat format;
    lk_dtype dtype;
    int tile;
};

std::vector<Instance> instances() {
    std::vector<Instance> all;
    for (const SampleFormat& format : batch_formats()) {
        for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
            for (const int tile : {8, 32, 64, 128}) all.push_back({format, dtype, tile});
        }
    }
    return all;
}

class BatchInstances : public ::testing::TestWithParam<Instance> {};

TEST_P(BatchInstances, MultiplyExactly) {
    const auto& [format, dtype, tile] = GetParam();
    expect_exact(format, dtype, 33, round_up(416, format.depth_unit()), tile - 1, {tile, 1, false, 3}, uint64_t(tile));
}

INSTANTIATE_TEST_SUITE_P(All, BatchInstances, ::testing::ValuesIn(instances()), [](const auto& info) {
    const Instance& instance = info.param;
    return identifier(instance.format) + (instance.dtype == LK_DTYPE_F16 ? "_f16_" : "_bf16_") +
           std::to_string(instance.tile);
});

class BatchFormats : public ::testing::TestWithParam<SampleFormat> {};

TEST_P(BatchFormats, AreReadOnceForEachTileOfTokens) {
    const SampleFormat& format = GetParam();
    const SampleWeight weight(format, 160, 1024, 5);
    const SampleMatrix x(LK_DTYPE_F16, 70, 1024, 0, 6);
    for (const int slices : {1, 4}) {
        const int64_t before = weight.bytes_read();
        const MatmulResult result = run_batch(weight, x.view(), {32, slices, slices > 1, 100});
        ASSERT_TRUE(result.report.ok()) << text_of(result.report);
        // A group that is longer than a slice is read by each of its slices.
        const int64_t scale_readers = format.codec.group_size > 1024 / slices ? slices : 1;
        const int64_t once = weight.code_bytes() + weight.scale_bytes() * scale_readers;
        EXPECT_LE(double(weight.bytes_read() - before), 1.02 * 3 * double(once)) << slices << " slices";
        EXPECT_GE(weight.bytes_read() - before, 3 * weight.code_bytes());
    }
}

INSTANTIATE_TEST_SUITE_P(All, BatchFormats, ::testing::ValuesIn(batch_formats()),
                         [](const auto& info) { return identifier(info.param); });

// Formats whose scales are decoded without bank conflicts, so that all there are would be the inner loop's. Nested
// codes are looked up where they happen to point, and a warp decodes every fourth row of a k_quant's unit.
std::vector<SampleFormat> formats_of_plain_scales() {
    std::vector<SampleFormat> formats = batch_formats();
    std::erase_if(formats, [](const SampleFormat& format) {
        return format.codec.scale_kind == ScaleKind::nested || format.codec.scale_kind == ScaleKind::k_quant;
    });
    return formats;
}

class BatchInnerLoop : public ::testing::TestWithParam<SampleFormat> {};

TEST_P(BatchInnerLoop, MeetsNoBankConflicts) {
    const SampleFormat& format = GetParam();
    for (const int tile : {8, 32, 64, 128}) {
        const auto conflicts = [&](int64_t k) {
            const SampleWeight weight(format, 128, k, 5);
            const SampleMatrix x(LK_DTYPE_F16, tile, k, 0, 6);
            return run_batch(weight, x.view(), {tile, 1, false, 1}).report.counters.bank_conflicts;
        };
        // What a longer K adds.
        EXPECT_EQ(conflicts(round_up(640, format.depth_unit())), conflicts(round_up(128, format.depth_unit())))
            << "tile " << tile;
    }
}

INSTANTIATE_TEST_SUITE_P(All, BatchInnerLoop, ::testing::ValuesIn(formats_of_plain_scales()),
                         [](const auto& info) { return identifier(info.param); });

TEST(Batch, MultipliesAwkwardShapes) {
    uint64_t seed = 1000;
    for (const int64_t k : {1, 32, 160, 161, 3424}) {
        for (const int64_t n : {1, 33, 257}) {
            const int64_t tokens = k > 1000 ? 9 : 65;
            expect_exact(kInt4, LK_DTYPE_F16, n, k, tokens, {8, 1, false, 2}, seed++);
            expect_exact(kTable, LK_DTYPE_BF16, n, k, tokens, {32, 1, false, 100}, seed++);
        }
    }
    expect_exact(kInt4, LK_DTYPE_F16, 3, 7392, 3, {8, 4, true, 9}, seed++);
    for (const int64_t tokens : {1, 7, 8, 9, 64, 65, 130, 300}) {
        for (const int tile : {8, 32, 64, 128}) {
            expect_exact(kInt4, LK_DTYPE_F16, 40, 96, tokens, {tile, 1, false, 5}, seed++);
        }
    }
    // Many strips of tiles, and blocks that walk over many of them.
    expect_exact(kInt4, LK_DTYPE_F16, 260, 32, 8 * 19, {8, 1, false, 3}, seed++);
}

class BatchSlices : public ::testing::TestWithParam<std::tuple<SampleFormat, int>> {};

TEST_P(BatchSlices, AreAddedUpInEveryWay) {
    const auto& [format, tile] = GetParam();
    uint64_t seed = 2000;
    for (const int64_t k : {1024, 1280}) {
        for (const int wanted : {2, 3, 8}) {
            const int slices = batch_slices(k, wanted);
            for (const bool apart : {false, true}) {
                expect_exact(format, LK_DTYPE_F16, 70, k, 10, {tile, slices, apart, 7}, seed++);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    All, BatchSlices,
    ::testing::Combine(::testing::Values(affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::zero_point, 1),
                                         // Slices end inside groups.
                                         affine_format("int4 g192", ScaleKind::f16, 192, OffsetKind::none, 8),
                                         affine_format("Q4_K", ScaleKind::k_quant, 32, OffsetKind::k_quant, 0),
                                         e2m1_format("NVFP4", ScaleKind::e4m3, 16)),
                       ::testing::Values(8, 128)),
    [](const auto& info) {
        return identifier(std::get<0>(info.param)) + "_" + std::to_string(std::get<1>(info.param));
    });

TEST(Batch, StoresIntoAnyRows) {
    for (const int64_t padding : {0, 3, 8}) {
        for (const int offset : {0, 1, 8}) {
            const MatmulCall call{.y_padding = padding, .y_offset = offset};
            expect_exact(kInt4, LK_DTYPE_F16, 152, 64, 33, {32, 1, false, 2}, 3000 + uint64_t(padding * 10 + offset),
                         call);
        }
    }
}

TEST(Batch, AddsTheBias) {
    const SampleMatrix bias(LK_DTYPE_F16, 1, 150, 0, 4);
    expect_exact(kInt4, LK_DTYPE_F16, 150, 256, 9, {32, 2, true, 4}, 3100, {.bias = &bias});
}

class BatchTiles : public ::testing::TestWithParam<int> {};

TEST_P(BatchTiles, AddAdapters) {
    constexpr int64_t tokens = 70;
    for (const int slices : {1, 2}) {
        // A tile of rows that has less than one warp's, and a whole one: all warps use the memory that becomes
        // another's.
        const int64_t n = slices == 1 ? 168 : 40;
        const SampleAdapters adapters(n, tokens);
        expect_exact(kInt4, LK_DTYPE_F16, n, 256, tokens, {GetParam(), slices, slices > 1, 3}, uint64_t(slices),
                     {.adapters = &adapters});
    }
}

INSTANTIATE_TEST_SUITE_P(All, BatchTiles, ::testing::Values(8, 32, 64, 128), ::testing::PrintToStringParamName());

// Sums that overflow on the way to a number are numbers; infinities stay in their row.
TEST(Batch, RepairsOverflowAndKeepsItInItsRow) {
    constexpr int64_t n = 40;
    constexpr int64_t k = 64;
    const SampleWeight weight(kInt4, n, k, 3);
    const SampleMatrix integers(LK_DTYPE_BF16, 3, k, 0, 4);
    const auto bf16 = [](double value) { return from_float<BFloat16>(float(value)).bits; };
    std::vector<uint16_t> bits;
    for (int64_t i = 0; i < k; ++i) bits.push_back(bf16(i % 2 == 0 ? 3e38 : -3e38));
    for (int64_t i = 0; i < k; ++i) bits.push_back(bf16(i == 5 ? INFINITY : 1));
    for (int64_t i = 0; i < k; ++i) bits.push_back(bf16(integers.at(2, i)));
    const Array<uint16_t> x(bits);
    const MatmulResult result = run_batch(weight, {x.data(), 3, k, k, LK_DTYPE_BF16, 0}, {8, 1, false, 1});
    ASSERT_TRUE(result.report.ok()) << text_of(result.report);
    const auto number = [](uint16_t b) { return to_float(BFloat16{b}); };
    int finite = 0;
    for (int64_t row = 0; row < n; ++row) {
        double large = 0;
        double small = 0;
        for (int64_t i = 0; i < k; ++i) {
            large += number(bits[size_t(i)]) * weight.at(row, i);
            small += integers.at(2, i) * weight.at(row, i);
        }
        const float stored = number(result.y[size_t(row)]);
        EXPECT_FALSE(std::isnan(stored));
        if (std::fabs(large) < 3.3e38) {
            ++finite;
            EXPECT_NEAR(stored, large, std::fabs(large) / 128) << "row " << row;
        }
        EXPECT_TRUE(weight.at(row, 5) == 0 || !std::isfinite(number(result.y[size_t(n + row)])));
        EXPECT_EQ(result.y[size_t(2 * n + row)], bf16(small));
    }
    EXPECT_GT(finite, 0);
}

}  // namespace
}  // namespace lk::cuda::testing
