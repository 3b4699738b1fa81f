// The batch kernels against products that are known exactly, on the emulated device.
#include "matmul/cuda/batch.h"

#include <cmath>
#include <memory>

#include "matmul/sample_weight.h"

namespace lk::cuda::testing {
namespace {

using emulated::LaunchReport;
using emulated::Options;
using emulated::testing::seeded;
using emulated::testing::text_of;

// y of a call, as bits, and what the emulated device said.
struct Result {
    std::vector<uint16_t> y;
    LaunchReport report;
};

constexpr uint16_t kUntouched = 0x5a5a;

struct Call {
    BatchChoice choice;
    int64_t y_padding = 0;  // elements between y's rows
    int y_offset = 0;       // elements before its first
    lk_matrix bias{};
    Adapters adapters{};
};

// x has whole k-blocks in its rows.
Result run(const SampleWeight& weight, const lk_matrix& x, const Call& call, const Options& options) {
    const int64_t stride = weight.out_features() + call.y_padding;
    const Array<uint16_t> y(std::vector<uint16_t>(size_t(call.y_offset + x.rows * stride), kUntouched));
    const MatmulArguments arguments{
        .weight = weight.view(),
        .tokens = {x.data, x.row_stride * 2, int32_t(x.rows)},
        .x = x,
        .adapters = call.adapters,
        .bias = call.bias,
        .y = {y.data() + call.y_offset, x.rows, weight.out_features(), stride, x.dtype, 0},
    };
    const BatchScratch scratch = batch_scratch(arguments.weight, x.dtype, x.rows, call.choice);
    const auto sums = Array<float4>::uninitialised(size_t(scratch.sum_bytes) / sizeof(float4) + 1);
    const Array<uint32_t> arrivals(std::vector<uint32_t>(size_t(scratch.arrivals + 1)));
    const BatchLaunch launch = batch_launch(arguments, call.choice, sums.data(), arrivals.data());
    Result result;
    result.report = emulated::testing::run(launch.kernel.function,
                                           {.grid = dim3(unsigned(launch.blocks)),
                                            .block = dim3(unsigned(launch.kernel.threads)),
                                            .dynamic_shared = uint32_t(launch.kernel.shared_bytes)},
                                           options, launch.arguments);
    for (const uint32_t count : arrivals.read()) EXPECT_EQ(count, 0u);
    result.y = y.read();
    return result;
}

int64_t mismatches(const SampleWeight& weight, const SampleMatrix& x, int64_t tokens, const Call& call,
                   const std::vector<uint16_t>& y) {
    const int64_t stride = weight.out_features() + call.y_padding;
    int64_t wrong = 0;
    for (int64_t m = 0; m < tokens; ++m) {
        for (int64_t n = 0; n < stride; ++n) {
            uint16_t expected = kUntouched;
            if (n < weight.out_features()) {
                double sum = call.bias.data == nullptr ? 0 : static_cast<const float*>(call.bias.data)[n];
                for (int64_t k = 0; k < weight.in_features(); ++k) sum += x.at(m, k) * weight.at(n, k);
                expected = x.rounded(sum);
            }
            wrong += y[size_t(call.y_offset + m * stride + n)] != expected;
        }
    }
    return wrong;
}

std::vector<SampleFormat> formats() {
    return {
        affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::none, 8),
        affine_format("int4 g32 f32", ScaleKind::f32, 32, OffsetKind::none, 8),
        affine_format("int4 g64 bf16, zero points", ScaleKind::bf16, 64, OffsetKind::zero_point, 1),
        affine_format("int4 g128, zero points", ScaleKind::f16, 128, OffsetKind::zero_point, 0),
        affine_format("int4 g96", ScaleKind::f16, 96, OffsetKind::none, 8),
        affine_format("Q4_1", ScaleKind::f16, 32, OffsetKind::minimum, 0),
        table_format("table g64", ScaleKind::f32, 64),
        table_format("table g64 nested", ScaleKind::nested, 64),
        table_format("IQ4_NL", ScaleKind::f16, 32),
        table_format("table g4096", ScaleKind::f32, 4096),
        e2m1_format("MXFP4", ScaleKind::e8m0, 32),
        e2m1_format("NVFP4", ScaleKind::e4m3, 16, .5f),
        e2m1_format("NVFP4 divided", ScaleKind::e4m3, 16, 4, true),
    };
}

SampleFormat k_quant() {
    SampleFormat format = affine_format("Q4_K", ScaleKind::k_quant, 32, OffsetKind::k_quant, 0);
    return format;
}

void expect_exact(const SampleFormat& format, lk_dtype dtype, int64_t n, int64_t k, int64_t tokens, const Call& call,
                  uint64_t seed) {
    SCOPED_TRACE(std::string(format.name) + ", dtype " + std::to_string(dtype) + ", N " + std::to_string(n) + ", K " +
                 std::to_string(k) + ", M " + std::to_string(tokens) + ", tile " + std::to_string(call.choice.tokens) +
                 ", slices " + std::to_string(call.choice.slices) + (call.choice.slices_apart ? " apart" : "") +
                 ", seed " + std::to_string(seed));
    const SampleWeight weight(format, n, k, unsigned(seed));
    const SampleMatrix x(dtype, tokens, k, 8, unsigned(seed + 1));
    Options options = seeded(seed);
    options.rounding = seed % 2 == 0 ? emulated::Rounding::exact : emulated::Rounding::truncating;
    const Result result = run(weight, x.view(), call, options);
    ASSERT_TRUE(result.report.ok()) << text_of(result.report);
    EXPECT_EQ(mismatches(weight, x, tokens, call, result.y), 0);
}

TEST(Batch, MultipliesEveryFormatInEveryTile) {
    uint64_t seed = 1;
    std::vector<SampleFormat> all = formats();
    all.push_back(k_quant());
    for (const SampleFormat& format : all) {
        for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
            for (const int tile : {8, 32, 64, 128}) {
                const int64_t k = format.codec.scale_kind == ScaleKind::k_quant ? 512 : 416;
                expect_exact(format, dtype, 33, k, tile - 1, {.choice = {tile, 1, false, 3}}, seed++);
            }
        }
    }
}

TEST(Batch, MultipliesAwkwardShapes) {
    const SampleFormat int4 = affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8);
    const SampleFormat table = table_format("table g64", ScaleKind::f32, 64);
    uint64_t seed = 1000;
    for (const int64_t k : {1, 32, 160, 161, 3424}) {
        for (const int64_t n : {1, 33, 257}) {
            const int64_t tokens = k > 1000 ? 9 : 65;
            expect_exact(int4, LK_DTYPE_F16, n, k, tokens, {.choice = {8, 1, false, 2}}, seed++);
            expect_exact(table, LK_DTYPE_BF16, n, k, tokens, {.choice = {32, 1, false, 100}}, seed++);
        }
    }
    expect_exact(int4, LK_DTYPE_F16, 3, 7392, 3, {.choice = {8, 4, true, 9}}, seed++);
    for (const int64_t tokens : {1, 7, 8, 9, 64, 65, 130, 300}) {
        for (const int tile : {8, 32, 64, 128}) {
            expect_exact(int4, LK_DTYPE_F16, 40, 96, tokens, {.choice = {tile, 1, false, 5}}, seed++);
        }
    }
    // Many strips of tiles, and blocks that walk over many of them.
    expect_exact(int4, LK_DTYPE_F16, 260, 32, 8 * 19, {.choice = {8, 1, false, 3}}, seed++);
}

TEST(Batch, AddsSlicesUpInEveryWay) {
    const SampleFormat formats[] = {
        affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::zero_point, 1),
        affine_format("int4 g192", ScaleKind::f16, 192, OffsetKind::none, 8),  // slices end inside groups
        k_quant(),
        e2m1_format("NVFP4", ScaleKind::e4m3, 16),
    };
    uint64_t seed = 2000;
    for (const SampleFormat& format : formats) {
        for (const int64_t k : {1024, 1280}) {
            for (const int wanted : {2, 3, 8}) {
                const int slices = batch_slices(k, wanted);
                for (const bool apart : {false, true}) {
                    const int tile = seed % 2 == 0 ? 8 : 128;
                    expect_exact(format, LK_DTYPE_F16, 70, k, 10, {.choice = {tile, slices, apart, 7}}, seed++);
                }
            }
        }
    }
}

TEST(Batch, StoresIntoAnyRows) {
    const SampleFormat int4 = affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8);
    for (const int64_t padding : {0, 3, 8}) {
        for (const int offset : {0, 1, 8}) {
            Call call{.choice = {32, 1, false, 2}, .y_padding = padding, .y_offset = offset};
            expect_exact(int4, LK_DTYPE_F16, 152, 64, 33, call, 3000 + uint64_t(padding * 10 + offset));
        }
    }
}

TEST(Batch, AddsTheBias) {
    std::vector<float> values;
    for (int n = 0; n < 150; ++n) values.push_back(float(n % 7) - 3);
    const Array<float> bias(values);
    Call call{.choice = {8, 2, true, 4}};
    call.bias = {bias.data(), 1, 150, 150, LK_DTYPE_F32, 0};
    expect_exact(affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8), LK_DTYPE_BF16, 150, 256, 9, call,
                 3100);
}

// Two adapters of two ranks; every third token has none, one has both.
struct SampleAdapters {
    static constexpr int kRanks[2] = {8, 24};

    SampleAdapters(int64_t n, int64_t tokens) {
        std::vector<LoraDescriptor> slices;
        for (int a = 0; a < 2; ++a) {
            std::vector<uint16_t> b;
            for (int64_t i = 0; i < kRanks[a] * n; ++i) b.push_back(from_float<Half>(b_value(a, i)).bits);
            factors.push_back(Array<uint16_t>(b));
            slices.push_back(
                {nullptr, factors.back().data(), 0, n, scales[a], kRanks[a], LK_DTYPE_F16, LK_DTYPE_F16, 1, 0});
        }
        descriptors = std::make_unique<Array<LoraDescriptor>>(slices);
        const LoraDescriptor* const first = descriptors->data();
        segments = std::make_unique<Array<const LoraDescriptor*>>(std::vector<const LoraDescriptor*>{first, first + 1});
        std::vector<int32_t> offsets{0}, of_entry;
        std::vector<float> entry_weights, entry_values;
        for (int64_t m = 0; m < tokens; ++m) {
            for (const int a : adapters_of(m)) {
                of_entry.push_back(a);
                entry_weights.push_back(weight);
                for (int r = 0; r < kRanks[1]; ++r) entry_values.push_back(value(m, r));
            }
            offsets.push_back(int32_t(of_entry.size()));
        }
        const auto entries = int32_t(of_entry.size());
        counts = std::make_unique<Array<PlanCounts>>(std::vector<PlanCounts>{{int32_t(tokens), entries, 0, 0}});
        row_offsets = std::make_unique<Array<int32_t>>(offsets);
        segment_of_entry = std::make_unique<Array<int32_t>>(of_entry);
        weights = std::make_unique<Array<float>>(entry_weights);
        values = std::make_unique<Array<float>>(entry_values);
    }

    Adapters view() const {
        Adapters view;
        view.plan.counts = counts->data();
        view.plan.row_offsets = row_offsets->data();
        view.plan.segment_of_entry = segment_of_entry->data();
        view.plan.weights = weights->data();
        view.plan.descriptors = segments->data();
        view.slice_count = 1;
        view.values = values->data();
        view.by_tiles = false;
        view.value_rows = int64_t(values->size()) / kRanks[1];
        view.value_stride = kRanks[1];
        return view;
    }
    double at(int64_t m, int64_t n, int64_t columns) const {
        double sum = 0;
        for (const int a : adapters_of(m)) {
            for (int r = 0; r < kRanks[a]; ++r) sum += scales[a] * weight * value(m, r) * b_value(a, r * columns + n);
        }
        return sum;
    }

    static std::vector<int> adapters_of(int64_t m) {
        if (m == 4) return {1, 0};
        return m % 3 == 2 ? std::vector<int>{} : std::vector<int>{int(m % 3)};
    }
    static float b_value(int a, int64_t i) { return float((i * 5 + a) % 7) - 3; }
    static float value(int64_t m, int r) { return float((m * 3 + r) % 5) - 2; }

    static constexpr float scales[2] = {2, .5};
    static constexpr float weight = .5;
    std::vector<Array<uint16_t>> factors;
    std::unique_ptr<Array<LoraDescriptor>> descriptors;
    std::unique_ptr<Array<const LoraDescriptor*>> segments;
    std::unique_ptr<Array<PlanCounts>> counts;
    std::unique_ptr<Array<int32_t>> row_offsets, segment_of_entry;
    std::unique_ptr<Array<float>> weights, values;
};

TEST(Batch, AddsAdapters) {
    constexpr int64_t n = 40;
    constexpr int64_t k = 256;
    constexpr int64_t tokens = 70;
    const SampleAdapters adapters(n, tokens);
    const SampleWeight weight(affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8), n, k, 1);
    const SampleMatrix x(LK_DTYPE_F16, tokens, k, 0, 2);
    for (const int tile : {8, 32, 64, 128}) {
        for (const int slices : {1, 2}) {
            const Call call{.choice = {tile, slices, slices > 1, 3}, .adapters = adapters.view()};
            const Result result = run(weight, x.view(), call, seeded(uint64_t(tile + slices)));
            ASSERT_TRUE(result.report.ok()) << text_of(result.report);
            int wrong = 0;
            for (int64_t m = 0; m < tokens; ++m) {
                for (int64_t row = 0; row < n; ++row) {
                    double sum = adapters.at(m, row, n);
                    for (int64_t i = 0; i < k; ++i) sum += x.at(m, i) * weight.at(row, i);
                    wrong += result.y[size_t(m * n + row)] != x.rounded(sum);
                }
            }
            EXPECT_EQ(wrong, 0) << "tile " << tile << ", " << slices << " slices";
        }
    }
}

// Sums that overflow on the way to a number are numbers; infinities stay in their row.
TEST(Batch, RepairsOverflowAndKeepsItInItsRow) {
    constexpr int64_t n = 40;
    constexpr int64_t k = 64;
    const SampleWeight weight(affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8), n, k, 3);
    const SampleMatrix integers(LK_DTYPE_BF16, 3, k, 0, 4);
    const auto bf16 = [](double value) { return from_float<BFloat16>(float(value)).bits; };
    std::vector<uint16_t> bits;
    for (int64_t i = 0; i < k; ++i) bits.push_back(bf16(i % 2 == 0 ? 3e38 : -3e38));
    for (int64_t i = 0; i < k; ++i) bits.push_back(bf16(i == 5 ? INFINITY : 1));
    for (int64_t i = 0; i < k; ++i) bits.push_back(bf16(integers.at(2, i)));
    const Array<uint16_t> x(bits);
    const Result result = run(weight, {x.data(), 3, k, k, LK_DTYPE_BF16, 0}, {.choice = {8, 1, false, 1}}, {});
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

// Activations of any size: rounding shows in the bits.
std::vector<uint16_t> random_bits(lk_dtype dtype, size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<uint16_t> bits;
    for (size_t i = 0; i < count; ++i) {
        const float value = normal(random);
        bits.push_back(dtype == LK_DTYPE_F16 ? from_float<Half>(value).bits : from_float<BFloat16>(value).bits);
    }
    return bits;
}

TEST(Batch, GivesARowTheSameBitsInEveryBatch) {
    constexpr int64_t n = 40;
    constexpr int64_t k = 416;
    constexpr int64_t most = 300;
    uint64_t seed = 4000;
    for (const SampleFormat& format : formats()) {
        const lk_dtype dtype = seed % 2 == 0 ? LK_DTYPE_F16 : LK_DTYPE_BF16;
        SCOPED_TRACE(format.name);
        const SampleWeight weight(format, n, k, unsigned(seed));
        const Array<uint16_t> x(random_bits(dtype, size_t(most * k), unsigned(seed)));
        const int slices = batch_slices(k, int(1 + seed % 4));
        Options options = seeded(seed++);
        options.rounding = emulated::Rounding::truncating;
        options.count_conflicts = false;
        const auto rows = [&](int64_t first, int64_t count, int tile, bool apart) {
            const lk_matrix view{x.data() + first * k, count, k, k, dtype, 0};
            Result result = run(weight, view, {.choice = {tile, slices, apart && slices > 1, 3}}, options);
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

TEST(Batch, GivesTheSameBitsInEverySchedule) {
    const SampleWeight weight(table_format("table g64", ScaleKind::f16, 64), 150, 512, 1);
    const Array<uint16_t> x(random_bits(LK_DTYPE_F16, 9 * 512, 2));
    const lk_matrix view{x.data(), 9, 512, 512, LK_DTYPE_F16, 0};
    std::vector<uint16_t> first;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        Options options = seeded(seed);
        options.count_conflicts = false;
        const Result result = run(weight, view, {.choice = {8, 4, true, 11}}, options);
        ASSERT_TRUE(result.report.ok()) << text_of(result.report);
        if (seed == 1) first = result.y;
        EXPECT_EQ(result.y, first) << "seed " << seed;
    }
}

TEST(Batch, KeepsTheNumericContract) {
    for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
        for (const auto rounding : {emulated::Rounding::exact, emulated::Rounding::truncating}) {
            constexpr int64_t n = 33;
            constexpr int64_t k = 3424;
            constexpr int64_t tokens = 5;
            const SampleWeight weight(affine_format("int4 g128", ScaleKind::f32, 128, OffsetKind::none, 8), n, k, 7);
            const std::vector<uint16_t> bits = random_bits(dtype, size_t(tokens * k), 8);
            const Array<uint16_t> x(bits);
            Options options = seeded(9);
            options.rounding = rounding;
            const Result result =
                run(weight, {x.data(), tokens, k, k, dtype, 0}, {.choice = {8, 1, false, 2}}, options);
            const auto value = [&](uint16_t b) {
                return dtype == LK_DTYPE_F16 ? to_float(Half{b}) : to_float(BFloat16{b});
            };
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

TEST(Batch, ReadsWeightsOnceForEachTileOfTokens) {
    for (const SampleFormat& format : formats()) {
        SCOPED_TRACE(format.name);
        const SampleWeight weight(format, 160, 1024, 5);
        const SampleMatrix x(LK_DTYPE_F16, 70, 1024, 0, 6);
        for (const int slices : {1, 4}) {
            const int64_t before = weight.bytes_read();
            const Result result = run(weight, x.view(), {.choice = {32, slices, slices > 1, 100}}, {});
            ASSERT_TRUE(result.report.ok()) << text_of(result.report);
            // A group that is longer than a slice is read by each of its slices.
            const int64_t scale_readers = format.codec.group_size > 1024 / slices ? slices : 1;
            const int64_t once = weight.code_bytes() + weight.scale_bytes() * scale_readers;
            EXPECT_LE(double(weight.bytes_read() - before), 1.02 * 3 * double(once)) << slices << " slices";
            EXPECT_GE(weight.bytes_read() - before, 3 * weight.code_bytes());
        }
    }
}

TEST(Batch, HasNoBankConflictsInItsInnerLoop) {
    for (const int tile : {8, 32, 64, 128}) {
        for (const SampleFormat& format : formats()) {
            // Inner codes are looked up where they happen to point: once a group, by the way.
            if (format.codec.scale_kind == ScaleKind::nested) continue;
            const auto conflicts = [&](int64_t k) {
                const SampleWeight weight(format, 128, k, 5);
                const SampleMatrix x(LK_DTYPE_F16, tile, k, 0, 6);
                return run(weight, x.view(), {.choice = {tile, 1, false, 1}}, {}).report.counters.bank_conflicts;
            };
            // What a longer K adds.
            EXPECT_EQ(conflicts(640), conflicts(128)) << format.name << ", tile " << tile;
        }
    }
}

}  // namespace
}  // namespace lk::cuda::testing
