// Activations of any size, whose sums are rounded on their way: what the batch kernels promise of their bits.
#include <algorithm>
#include <cmath>

#include "matmul/batch_rig.h"

namespace lk::cuda::testing {
namespace {

class BatchRows : public ::testing::TestWithParam<SampleFormat> {};

// A bias takes a row's sums off, so that what is left is their rounding: y's 16 bits hide none of it.
TEST_P(BatchRows, HaveTheSameBitsInEveryBatch) {
    const SampleFormat& format = GetParam();
    const int64_t n = 40;
    const int64_t k = round_up(416, format.depth_unit());
    constexpr int64_t most = 300;
    uint64_t seed = 4000;
    for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
        const SampleWeight weight(format, n, k, unsigned(seed));
        const std::vector<uint16_t> bits = random_bits(dtype, size_t(most * k), unsigned(seed));
        const Array<uint16_t> x(bits);
        const int slices = batch_slices(k, dtype == LK_DTYPE_F16 ? 3 : 4);
        Options options = seeded(seed++);
        options.rounding = emulated::Rounding::truncating;
        options.count_conflicts = false;
        for (const int64_t row : {64, 190}) {
            std::vector<float> minus_sums;
            for (int64_t r = 0; r < n; ++r) {
                double sum = 0;
                for (int64_t i = 0; i < k; ++i) sum += value_of(dtype, bits[size_t(row * k + i)]) * weight.at(r, i);
                minus_sums.push_back(float(-sum));
            }
            const Array<float> bias(minus_sums);
            const MatmulCall call{.other_bias = {bias.data(), 1, n, n, LK_DTYPE_F32, 0}};
            const auto row_in = [&](int64_t first, int64_t count, int tile, bool apart) {
                const lk_matrix view{x.data() + first * k, count, k, k, dtype, 0};
                const MatmulResult result =
                    run_batch(weight, view, {tile, slices, apart && slices > 1, 3}, options, call);
                EXPECT_TRUE(result.report.ok()) << text_of(result.report);
                const auto of_row = result.y.begin() + (row - first) * n;
                return std::vector<uint16_t>(of_row, of_row + n);
            };
            const std::vector<uint16_t> expected = row_in(0, most, 128, false);
            EXPECT_TRUE(std::any_of(expected.begin(), expected.end(), [](uint16_t y) { return y % 0x8000 != 0; }));
            EXPECT_EQ(row_in(row, 1, 8, true), expected) << "row " << row << " alone";
            EXPECT_EQ(row_in(row - 7, 8, 8, false), expected) << "row " << row << " among 8";
            EXPECT_EQ(row_in(row - 1, 9, 32, true), expected) << "row " << row << " among 9";
            EXPECT_EQ(row_in(row - 40, 64, 64, true), expected) << "row " << row << " among 64";
            EXPECT_EQ(row_in(row - 64, 65, 128, true), expected) << "row " << row << " among 65";
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, BatchRows, ::testing::ValuesIn(batch_formats()),
                         [](const auto& info) { return identifier(info.param); });

TEST(Batch, GivesTheSameBitsInEverySchedule) {
    const SampleWeight weight(table_format("table g64", ScaleKind::f16, 64), 150, 512, 1);
    const Array<uint16_t> x(random_bits(LK_DTYPE_F16, 9 * 512, 2));
    const lk_matrix view{x.data(), 9, 512, 512, LK_DTYPE_F16, 0};
    std::vector<uint16_t> first;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Options options = seeded(seed);
        options.count_conflicts = false;
        const MatmulResult result = run_batch(weight, view, {8, 4, true, 11}, options);
        ASSERT_TRUE(result.report.ok()) << text_of(result.report);
        if (seed == 1) first = result.y;
        EXPECT_EQ(result.y, first) << "seed " << seed;
    }
}

TEST(Batch, KeepsTheNumericContract) {
    constexpr int64_t n = 33;
    constexpr int64_t k = 3424;
    constexpr int64_t tokens = 5;
    const SampleWeight weight(affine_format("int4 g128", ScaleKind::f32, 128, OffsetKind::none, 8), n, k, 7);
    for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
        const auto value = [&](uint16_t b) {
            return dtype == LK_DTYPE_F16 ? to_float(Half{b}) : to_float(BFloat16{b});
        };
        const std::vector<uint16_t> bits = random_bits(dtype, size_t(tokens * k), 8);
        const Array<uint16_t> x(bits);
        for (const auto rounding : {emulated::Rounding::exact, emulated::Rounding::truncating}) {
            Options options = seeded(9);
            options.rounding = rounding;
            const MatmulResult result =
                run_batch(weight, {x.data(), tokens, k, k, dtype, 0}, {8, 1, false, 2}, options);
            double error = 0;
            double norm = 0;
            for (int64_t m = 0; m < tokens; ++m) {
                for (int64_t row = 0; row < n; ++row) {
                    double sum = 0;
                    for (int64_t i = 0; i < k; ++i) sum += value(bits[size_t(m * k + i)]) * weight.at(row, i);
                    error += std::pow(value(result.y[size_t(m * n + row)]) - sum, 2);
                    norm += sum * sum;
                }
            }
            EXPECT_LE(std::sqrt(error / norm), dtype == LK_DTYPE_F16 ? 1e-3 : 8e-3);
        }
    }
}

}  // namespace
}  // namespace lk::cuda::testing
