// Launches of the batch kernels.
#pragma once

#include "matmul/cuda/batch.h"
#include "matmul/matmul_rig.h"

namespace lk::cuda::testing {

// A launch divided so, for run_matmul.
inline auto batch_of(const BatchChoice& choice) {
    return [choice](const MatmulArguments& arguments, const Options& options) {
        const BatchScratch scratch = batch_scratch(arguments.weight, arguments.x.dtype, arguments.x.rows, choice);
        const auto sums = Array<float4>::uninitialised(size_t(scratch.sum_bytes) / sizeof(float4) + 1);
        const Array<uint32_t> arrivals(std::vector<uint32_t>(size_t(scratch.arrivals + 1)));
        const BatchLaunch launch = batch_launch(arguments, choice, sums.data(), arrivals.data());
        LaunchReport report = emulated::testing::run(launch.kernel.function,
                                                     {.grid = dim3(unsigned(launch.blocks)),
                                                      .block = dim3(unsigned(launch.kernel.threads)),
                                                      .dynamic_shared = uint32_t(launch.kernel.shared_bytes)},
                                                     options, launch.arguments);
        for (const uint32_t count : arrivals.read()) EXPECT_EQ(count, 0u);
        return report;
    };
}

inline MatmulResult run_batch(const SampleWeight& weight, const lk_matrix& x, const BatchChoice& choice,
                              const Options& options = {}, const MatmulCall& call = {}) {
    return run_matmul(weight, x, call, options, batch_of(choice));
}

// Formats that the kernels take.
inline std::vector<SampleFormat> batch_formats() {
    std::vector<SampleFormat> formats;
    for (const SampleFormat& format : sample_formats()) {
        if (batch_multiplies(SampleWeight(format, 32, 512, 1).view())) formats.push_back(format);
    }
    return formats;
}

}  // namespace lk::cuda::testing
