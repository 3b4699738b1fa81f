// The decode kernel against products that are known exactly, on the emulated device.
#include "matmul/decode_rig.h"

namespace lk::cuda::testing {
namespace {

bool has_kernel(const SampleFormat& format, lk_dtype dtype) {
    const SampleWeight weight(format, 32, 512, 1);
    return decode_kernel_for(weight.view(), dtype) != nullptr;
}

class DecodeFormats : public ::testing::TestWithParam<SampleFormat> {};

TEST_P(DecodeFormats, MultiplyExactly) {
    const SampleFormat& format = GetParam();
    uint64_t seed = 1;
    int kernels = 0;
    for (const lk_dtype dtype : {LK_DTYPE_F16, LK_DTYPE_BF16}) {
        if (!has_kernel(format, dtype)) continue;
        ++kernels;
        const SampleMatrix bias(dtype, 1, 64, 0, 2);
        const MatmulCall call{.bias = &bias, .y_padding = 5};
        // No record at all; slices of none, one and two; tails of one and a half and three k-blocks; more warps than
        // records.
        expect_exact(format, dtype, 40, round_up(96, format.depth_unit()), 1, call, seed++, launch_decode);
        expect_exact(format, dtype, 33, round_up(432, format.depth_unit()), 7, call, seed++, launch_decode);
        expect_exact(format, dtype, 64, round_up(2272, format.depth_unit()), 8, call, seed++, launch_decode);
        expect_exact(format, dtype, 64, round_up(2272, format.depth_unit()), 8, call, seed++, launch_decode_of<80>);
        expect_exact(format, dtype, 33, round_up(3424, format.depth_unit()), 3, call, seed++, launch_decode_of<80>);
    }
    EXPECT_GE(kernels, 1);
}

INSTANTIATE_TEST_SUITE_P(All, DecodeFormats, ::testing::ValuesIn(sample_formats()),
                         [](const auto& info) { return identifier(info.param); });

TEST(Decode, AddsAdapters) {
    const SampleAdapters adapters(40, 8);
    const MatmulCall call{.adapters = &adapters};
    const SampleFormat int4 = affine_format("int4 g32", ScaleKind::f16, 32, OffsetKind::none, 8);
    for (const int64_t tokens : {1, 5, 8}) {
        expect_exact(int4, LK_DTYPE_F16, 40, 256, tokens, call, uint64_t(tokens), launch_decode);
        expect_exact(int4, LK_DTYPE_F16, 40, 256, tokens, call, uint64_t(tokens), launch_decode_of<80>);
    }
}

}  // namespace
}  // namespace lk::cuda::testing
