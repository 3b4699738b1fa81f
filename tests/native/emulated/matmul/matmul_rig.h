// Calls of the tensor-core matmul kernels on the emulated device, and the exact results they are compared with.
#pragma once

#include <optional>

#include "lora/cuda/device_plan.h"
#include "matmul/cuda/arguments.h"
#include "matmul/sample_adapters.h"
#include "matmul/sample_weight.h"

namespace lk::cuda::testing {

using emulated::LaunchReport;
using emulated::Options;
using emulated::testing::seeded;
using emulated::testing::text_of;

// What a call has besides a weight and x.
struct MatmulCall {
    const SampleMatrix* bias = nullptr;
    lk_matrix other_bias{};  // where there is no such one
    const SampleAdapters* adapters = nullptr;
    int64_t y_padding = 0;  // elements between y's rows
    int y_offset = 0;       // elements before its first
};

// y as bits, and what the emulated device said.
struct MatmulResult {
    std::vector<uint16_t> y;
    LaunchReport report;
};

// What y's memory holds that no kernel has written.
inline constexpr uint16_t kUntouched = 0x5a5a;

// x has whole k-blocks in its rows. `launch(arguments, options)` runs the kernel.
template <class Launch>
MatmulResult run_matmul(const SampleWeight& weight, const lk_matrix& x, const MatmulCall& call, const Options& options,
                        const Launch& launch) {
    const int64_t stride = weight.out_features() + call.y_padding;
    const Array<uint16_t> y(std::vector<uint16_t>(size_t(call.y_offset + x.rows * stride), kUntouched));
    const MatmulArguments arguments{
        .weight = weight.view(),
        .tokens = {x.data, x.row_stride * 2, int32_t(x.rows)},
        .x = x,
        .adapters = call.adapters == nullptr ? Adapters{} : call.adapters->view(),
        .bias = call.bias == nullptr ? call.other_bias : call.bias->view(),
        .y = {y.data() + call.y_offset, x.rows, weight.out_features(), stride, x.dtype, 0},
    };
    MatmulResult result;
    result.report = launch(arguments, options);
    result.y = y.read();
    return result;
}

// Elements of y's memory that are not what they must be, those between its rows included.
inline int64_t mismatches(const SampleWeight& weight, const SampleMatrix& x, int64_t tokens, const MatmulCall& call,
                          const std::vector<uint16_t>& y) {
    const int64_t columns = weight.out_features();
    const int64_t stride = columns + call.y_padding;
    int64_t wrong = 0;
    for (int64_t m = 0; m < tokens; ++m) {
        for (int64_t n = 0; n < stride; ++n) {
            uint16_t expected = kUntouched;
            if (n < columns) {
                double sum = call.bias == nullptr ? 0 : call.bias->at(0, n);
                if (call.adapters != nullptr) sum += call.adapters->at(m, n, columns);
                for (int64_t k = 0; k < weight.in_features(); ++k) sum += x.at(m, k) * weight.at(n, k);
                expected = x.rounded(sum);
            }
            wrong += y[size_t(call.y_offset + m * stride + n)] != expected;
        }
    }
    return wrong;
}

// A product of a size, drawn from a seed like its schedule and the rounding of mma.
template <class Launch>
void expect_exact(const SampleFormat& format, lk_dtype dtype, int64_t n, int64_t k, int64_t tokens,
                  const MatmulCall& call, uint64_t seed, const Launch& launch) {
    SCOPED_TRACE(std::string(format.name) + ", dtype " + std::to_string(dtype) + ", N " + std::to_string(n) + ", K " +
                 std::to_string(k) + ", M " + std::to_string(tokens) + ", seed " + std::to_string(seed));
    const SampleWeight weight(format, n, k, unsigned(seed));
    const SampleMatrix x(dtype, tokens, k, 8, unsigned(seed + 1));
    Options options = seeded(seed);
    options.rounding = seed % 2 == 0 ? emulated::Rounding::exact : emulated::Rounding::truncating;
    const MatmulResult result = run_matmul(weight, x.view(), call, options, launch);
    ASSERT_TRUE(result.report.ok()) << text_of(result.report);
    EXPECT_EQ(mismatches(weight, x, tokens, call, result.y), 0);
}

inline double value_of(lk_dtype dtype, uint16_t bits) {
    return dtype == LK_DTYPE_F16 ? to_float(Half{bits}) : to_float(BFloat16{bits});
}

// Activations of many magnitudes, whose sums are rounded.
inline std::vector<uint16_t> random_bits(lk_dtype dtype, size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<uint16_t> bits;
    for (size_t i = 0; i < count; ++i) {
        const float value = std::ldexp(normal(random), int(random() % 16) - 8);
        bits.push_back(dtype == LK_DTYPE_F16 ? from_float<Half>(value).bits : from_float<BFloat16>(value).bits);
    }
    return bits;
}

}  // namespace lk::cuda::testing
