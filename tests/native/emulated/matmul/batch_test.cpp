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
};

Result run(const SampleWeight& weight, const lk_matrix& x, const Call& call, const Options& options) {
    const int64_t stride = weight.out_features() + call.y_padding;
    const Array<uint16_t> y(std::vector<uint16_t>(size_t(call.y_offset + x.rows * stride), kUntouched));
    const lk_matrix y_view{y.data() + call.y_offset, x.rows, weight.out_features(), stride, x.dtype, 0};
    const BatchScratch scratch = batch_scratch(weight.view(), x.dtype, x.rows, call.choice);
    const auto sums = Array<float4>::uninitialised(size_t(scratch.sum_bytes) / sizeof(float4) + 1);
    const Array<uint32_t> arrivals(std::vector<uint32_t>(size_t(scratch.arrivals + 1)));
    const BatchLaunch launch =
        batch_launch(weight.view(), x, call.bias, y_view, call.choice, sums.data(), arrivals.data());
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
                double sum = 0;
                for (int64_t k = 0; k < weight.in_features(); ++k) sum += x.at(m, k) * weight.at(n, k);
                expected = x.rounded(sum);
            }
            wrong += y[size_t(call.y_offset + m * stride + n)] != expected;
        }
    }
    return wrong;
}

// Whole k-blocks, at multiples of 16 bytes: what the kernels ask of x.
int64_t padded(int64_t columns) {
    return round_up(columns, FragmentLayout::kBlockDepth);
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
    const SampleMatrix x(dtype, tokens, padded(k), padded(k) + 8, unsigned(seed + 1));
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

}  // namespace
}  // namespace lk::cuda::testing
