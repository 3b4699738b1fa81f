// Activations of any size, whose sums are rounded on their way: what the batch kernels promise of their bits.
#include <cmath>

#include "matmul/batch_rig.h"

namespace lk::cuda::testing {
namespace {

class BatchRows : public ::testing::TestWithParam<SampleFormat> {};

TEST_P(BatchRows, HaveTheSameBitsInEveryBatch) {
    const SampleFormat& format = GetParam();
    const int64_t n = 40;
    const int64_t k = round_up(416, format.depth_unit());
    constexpr int64_t most = 300;
    uint64_t seed = 4000;
    for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
        const SampleWeight weight(format, n, k, unsigned(seed));
        const Array<uint16_t> x(random_bits(dtype, size_t(most * k), unsigned(seed)));
        const int slices = batch_slices(k, dtype == LK_DTYPE_F16 ? 3 : 4);
        Options options = seeded(seed++);
        options.rounding = emulated::Rounding::truncating;
        options.count_conflicts = false;
        const auto rows = [&](int64_t first, int64_t count, int tile, bool apart) {
            const lk_matrix view{x.data() + first * k, count, k, k, dtype, 0};
            MatmulResult result = run_batch(weight, view, {tile, slices, apart && slices > 1, 3}, options);
            EXPECT_TRUE(result.report.ok()) << text_of(result.report);
            return result.y;
        };
        const std::vector<uint16_t> all = rows(0, most, 128, false);
        const auto expect_equal = [&](int64_t first, int64_t count, int tile, bool apart) {
            const std::vector<uint16_t> some = rows(first, count, tile, apart);
            EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin() + first * n))
                << count << " rows from " << first << ", tile " << tile << (apart ? ", slices apart" : "");
        };
        expect_equal(0, 8, 8, true);
        expect_equal(0, 9, 32, false);
        expect_equal(3, 64, 64, true);
        expect_equal(1, 65, 128, true);
        for (int64_t row = 0; row < most; row += 41) expect_equal(row, 1, 8, true);
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
