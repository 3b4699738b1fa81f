// The decode kernel against products that are known exactly, on the emulated device.
#include "matmul/cuda/decode.h"

#include "matmul/sample_weight.h"

namespace lk::cuda::testing {
namespace {

using emulated::LaunchReport;
using emulated::Options;
using emulated::testing::seeded;
using emulated::testing::text_of;

constexpr uint16_t kUntouched = 0x5a5a;

struct Result {
    std::vector<uint16_t> y;
    LaunchReport report;
};

Result run(const SampleWeight& weight, const lk_matrix& x, const lk_matrix& bias, int64_t y_stride,
           const Options& options) {
    const Array<uint16_t> y(std::vector<uint16_t>(size_t(x.rows * y_stride), kUntouched));
    const lk_matrix y_view{y.data(), x.rows, weight.out_features(), y_stride, x.dtype, 0};
    const MatmulArguments arguments{weight.view(), {x.data, x.row_stride * 2, int32_t(x.rows)}, x, {}, bias, y_view};
    const MatmulKernel kernel = decode_kernel_for(arguments.weight, x.dtype);
    Result result;
    if (kernel == nullptr) {
        ADD_FAILURE() << "no kernel";
        return result;
    }
    const LaunchConfig config = decode_launch(arguments);
    result.report = emulated::testing::run(
        kernel, {.grid = config.grid, .block = config.block, .dynamic_shared = config.shared_bytes}, options,
        arguments);
    result.y = y.read();
    return result;
}

int64_t padded(int64_t columns) {
    return round_up(columns, FragmentLayout::kBlockDepth);
}

std::vector<SampleFormat> formats() {
    return {
        affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::none, 8),
        affine_format("int4 g64 bf16", ScaleKind::bf16, 64, OffsetKind::none, 8),
        affine_format("int4 g32 f32", ScaleKind::f32, 32, OffsetKind::none, 8),
        affine_format("int4 g256", ScaleKind::f16, 256, OffsetKind::none, 8),
        affine_format("int4 g96", ScaleKind::f16, 96, OffsetKind::none, 8),
        affine_format("int4 g64 bf16, zero points", ScaleKind::bf16, 64, OffsetKind::zero_point, 1),
        affine_format("int4 g128, zero points", ScaleKind::f16, 128, OffsetKind::zero_point, 0),
        affine_format("int4 g32, zero points", ScaleKind::f16, 32, OffsetKind::zero_point, 0),
        affine_format("Q4_1", ScaleKind::f16, 32, OffsetKind::minimum, 0),
        affine_format("Q4_K", ScaleKind::k_quant, 32, OffsetKind::k_quant, 0),
        table_format("table g64", ScaleKind::f32, 64),
        table_format("table g64 nested", ScaleKind::nested, 64),
        table_format("IQ4_NL", ScaleKind::f16, 32),
        table_format("table g4096", ScaleKind::f32, 4096),
        e2m1_format("MXFP4", ScaleKind::e8m0, 32),
        e2m1_format("NVFP4", ScaleKind::e4m3, 16, .5f),
        e2m1_format("NVFP4 divided", ScaleKind::e4m3, 16, 4, true),
    };
}

void expect_exact(const SampleFormat& format, lk_dtype dtype, int64_t n, int64_t k, int64_t tokens, uint64_t seed) {
    SCOPED_TRACE(std::string(format.name) + ", dtype " + std::to_string(dtype) + ", N " + std::to_string(n) + ", K " +
                 std::to_string(k) + ", M " + std::to_string(tokens) + ", seed " + std::to_string(seed));
    const SampleWeight weight(format, n, k, unsigned(seed));
    const SampleMatrix x(dtype, tokens, padded(k), padded(k) + 8, unsigned(seed + 1));
    const SampleMatrix bias(dtype, 1, n, n, unsigned(seed + 2));
    Options options = seeded(seed);
    options.rounding = seed % 2 == 0 ? emulated::Rounding::exact : emulated::Rounding::truncating;
    const int64_t stride = n + 5;
    // The operand ends with whole k-blocks, whose elements behind K are 0; the caller's x ends with K.
    const Result result = run(weight, x.view(), bias.view(), stride, options);
    ASSERT_TRUE(result.report.ok()) << text_of(result.report);
    int64_t wrong = 0;
    for (int64_t m = 0; m < tokens; ++m) {
        for (int64_t column = 0; column < stride; ++column) {
            uint16_t expected = kUntouched;
            if (column < n) {
                double sum = bias.at(0, column);
                for (int64_t i = 0; i < k; ++i) sum += x.at(m, i) * weight.at(column, i);
                expected = x.rounded(sum);
            }
            wrong += result.y[size_t(m * stride + column)] != expected;
        }
    }
    EXPECT_EQ(wrong, 0);
}

bool has_kernel(const SampleFormat& format, lk_dtype dtype) {
    const SampleWeight weight(format, 32, 512, 1);
    return decode_kernel_for(weight.view(), dtype) != nullptr;
}

TEST(Decode, MultipliesEveryFormat) {
    uint64_t seed = 1;
    for (const SampleFormat& format : formats()) {
        for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
            if (!has_kernel(format, dtype)) continue;
            // Slices of none, one and two records; tails of one and three k-blocks.
            const bool units_of_256 = format.codec.scale_kind == ScaleKind::k_quant;
            expect_exact(format, dtype, 33, units_of_256 ? 512 : 416, 7, seed++);
            expect_exact(format, dtype, 64, units_of_256 ? 2304 : 2208, 8, seed++);
        }
    }
}

}  // namespace
}  // namespace lk::cuda::testing
