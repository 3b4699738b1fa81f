// Packing loses nothing: unpacking gives the checkpoint's bytes back.
#include "packing/panel.h"
#include "support/abi.h"

namespace lk::test {
namespace {

class RoundTrip : public testing::TestWithParam<lk_weight_tensors> {};

TEST_P(RoundTrip, GivesTheBytesBack) {
    Tensors given(GetParam());
    fill(given, 7);
    for (const lk_cpu_isa isa : fast_paths()) {
        Context context = make_context(isa);
        Weight weight;
        LK_ASSERT_OK(lk_weight_pack(context, &given.view, weight.out()));

        lk_weight_tensors sizes{};
        sizes.struct_size = sizeof sizes;
        LK_ASSERT_OK(lk_weight_describe(weight, &sizes));
        EXPECT_EQ(sizes.codes.data, nullptr);
        EXPECT_EQ(sizes.outer_offset, given.view.outer_offset);
        Tensors back(sizes);
        LK_ASSERT_OK(lk_weight_unpack(context, weight, &back.view));
        for (size_t i = 0; i < given.storage.size(); ++i) {
            EXPECT_EQ(given.storage[i], back.storage[i]) << "part " << i << " on path " << isa;
        }
    }
}

TEST_P(RoundTrip, TakesNoMoreMemoryThanTheCheckpointAndItsTails) {
    const lk_weight_tensors& t = GetParam();
    Context context = make_context();
    Tensors given(t);
    fill(given, 7);
    Weight weight;
    LK_ASSERT_OK(lk_weight_pack(context, &given.view, weight.out()));
    int64_t packed = 0;
    LK_ASSERT_OK(lk_weight_packed_bytes(weight, &packed));
    int64_t checkpoint = 0;
    for (lk_bytes lk_weight_tensors::*buffer : kWeightBuffers) checkpoint += (t.*buffer).size;
    // At most 7 codes past the end of each row, and the alignment of the parts.
    EXPECT_LE(packed, checkpoint + t.out_features * 4 + 3 * 64);
}

lk_weight_tensors with_table(lk_weight_tensors t) {
    t.table.size = 64;
    return t;
}

INSTANTIATE_TEST_SUITE_P(BitsAndBytes, RoundTrip,
                         testing::Values(nf4_sizes(1, 1, 64, 0), nf4_sizes(3, 5, 32, 0), nf4_sizes(33, 7, 64, 256),
                                         nf4_sizes(50, 96, 32, 5), nf4_sizes(31, 128, 64, 256),
                                         nf4_sizes(64, 192, 64, 0), nf4_sizes(70, 3420 / 20, 64, 256),
                                         nf4_sizes(5, 4096, 4096, 0), with_table(nf4_sizes(40, 64, 32, 256)),
                                         nf4_sizes(0, 64, 64, 256), nf4_sizes(64, 0, 64, 0), fp4_sizes(33, 7, 64, 0),
                                         with_table(fp4_sizes(40, 64, 64, 256))));

INSTANTIATE_TEST_SUITE_P(Gguf, RoundTrip,
                         testing::Values(q4_0_sizes(1, 32), q4_0_sizes(37, 96), q4_0_sizes(64, 4096), q4_0_sizes(0, 32),
                                         q4_0_sizes(3, 0), q4_1_sizes(37, 96), q4_1_sizes(0, 32), iq4_nl_sizes(37, 96),
                                         iq4_nl_sizes(3, 0), q4_k_sizes(37, 768), q4_k_sizes(1, 256),
                                         q4_k_sizes(3, 0)));

constexpr Int4Options kAll{LK_DTYPE_BF16, true, true};

INSTANTIATE_TEST_SUITE_P(Int4, RoundTrip,
                         testing::Values(int4_sizes(37, 128, 32), int4_sizes(37, 131, 64, kAll),
                                         int4_sizes(33, 100, 100, {LK_DTYPE_F32, true, false}),
                                         int4_sizes(8, 96, 128, {LK_DTYPE_F16, false, true}), int4_sizes(1, 1, 1, kAll),
                                         int4_sizes(70, 257, 32, kAll), int4_sizes(0, 64, 32, kAll),
                                         int4_sizes(5, 0, 32, kAll)));

INSTANTIATE_TEST_SUITE_P(
    Gptq, RoundTrip,
    testing::Values(gptq_sizes(LK_FORMAT_GPTQ, 72, 128, 32), gptq_sizes(LK_FORMAT_GPTQ, 40, 200, 64, kAll),
                    gptq_sizes(LK_FORMAT_GPTQ, 8, 96, 96, {LK_DTYPE_F32, false, false}),
                    gptq_sizes(LK_FORMAT_GPTQ_V2, 72, 160, 128), gptq_sizes(LK_FORMAT_GPTQ_V2, 0, 64, 32, kAll),
                    gptq_sizes(LK_FORMAT_GPTQ_V2, 8, 0, 32), gptq_sizes(LK_FORMAT_AWQ, 72, 131, 64),
                    gptq_sizes(LK_FORMAT_AWQ, 8, 7, 7, {LK_DTYPE_BF16, false, false}),
                    gptq_sizes(LK_FORMAT_AWQ, 0, 64, 32), gptq_sizes(LK_FORMAT_AWQ, 8, 0, 32)));

INSTANTIATE_TEST_SUITE_P(Hqq, RoundTrip,
                         testing::Values(hqq_sizes(37, 128, 64), hqq_sizes(1, 16, 8, LK_DTYPE_F32),
                                         hqq_sizes(70, 33, 33, LK_DTYPE_BF16), hqq_sizes(0, 64, 64),
                                         hqq_sizes(3, 0, 64)));

// Padding is kept, too.
INSTANTIATE_TEST_SUITE_P(Onnx, RoundTrip,
                         testing::Values(onnx_sizes(37, 128, 32, OnnxZeros::none),
                                         onnx_sizes(37, 100, 16, OnnxZeros::nibbles),
                                         onnx_sizes(33, 99, 64, OnnxZeros::floats),
                                         onnx_sizes(5, 1, 16, OnnxZeros::nibbles, kAll),
                                         onnx_sizes(70, 200, 128, OnnxZeros::floats, {LK_DTYPE_F32, false, true}),
                                         onnx_sizes(0, 64, 32, OnnxZeros::nibbles)));

INSTANTIATE_TEST_SUITE_P(Float4, RoundTrip,
                         testing::Values(gguf_mxfp4_sizes(37, 96), gguf_mxfp4_sizes(3, 0), gguf_nvfp4_sizes(37, 192),
                                         gguf_nvfp4_sizes(0, 64), mxfp4_sizes(37, 96), mxfp4_sizes(0, 32),
                                         mxfp4_sizes(3, 0), nvfp4_sizes(37, 112, false), nvfp4_sizes(1, 16, true),
                                         nvfp4_sizes(3, 0, true)));

INSTANTIATE_TEST_SUITE_P(Raw, RoundTrip,
                         testing::Values(f32_sizes(37, 33), f16_sizes(3, 7), bf16_sizes(1, 1), f32_sizes(0, 64),
                                         q5_0_sizes(37, 96), q5_1_sizes(37, 96), q8_0_sizes(33, 64), q8_0_sizes(3, 0),
                                         q2_k_sizes(37, 512), q3_k_sizes(37, 512), q5_k_sizes(37, 512),
                                         q6_k_sizes(37, 512), iq4_xs_sizes(37, 512)));

// Rows of more steps than are put in order together, of registers' width and not.
INSTANTIATE_TEST_SUITE_P(LongRows, RoundTrip,
                         testing::Values(nf4_sizes(37, 1096, 64, 0), nf4_sizes(64, 1088, 64, 256),
                                         int4_sizes(37, 1048, 32, kAll), gptq_sizes(LK_FORMAT_GPTQ, 72, 1096, 128),
                                         gptq_sizes(LK_FORMAT_AWQ, 72, 1091, 64), hqq_sizes(37, 1152, 64),
                                         onnx_sizes(37, 1100, 32, OnnxZeros::nibbles), q4_0_sizes(37, 1056),
                                         q4_1_sizes(64, 1056), iq4_nl_sizes(33, 1088), q4_k_sizes(37, 1280),
                                         gguf_mxfp4_sizes(37, 1056), gguf_nvfp4_sizes(37, 1088), mxfp4_sizes(37, 1056),
                                         nvfp4_sizes(37, 1072, false)));

// The documented address of a code, computed without the layout's own functions.
TEST(PanelLayout, FollowsItsDescription) {
    constexpr int64_t n = 40, k = 24;  // a whole panel and one of 8 columns
    Context context = make_context();
    Tensors given(nf4_sizes(n, k, 32, 0));
    fill(given, 9);
    const PanelLayout layout{n, k, 32, false};
    EXPECT_EQ(layout.panels(), 2);
    EXPECT_EQ(layout.columns(0), 32);
    EXPECT_EQ(layout.columns(1), 8);
    EXPECT_EQ(layout.codes_bytes(), n * k / 2);
    EXPECT_EQ(layout.word_offset(0, 1, 5), 32 * 4 + 5 * 4);
    EXPECT_EQ(layout.word_offset(1, 2, 3), 32 * 3 * 4 + 2 * 8 * 4 + 3 * 4);
    EXPECT_EQ(layout.units(), n * k / 32);
    EXPECT_EQ(layout.unit_index(17), 17);
    const PanelLayout aligned{n, 50, 32, true};
    EXPECT_EQ(aligned.units(), n * 2);
    EXPECT_EQ(aligned.unit_index(2 * 5 + 1), 32 + 5);           // row 5, group 1
    EXPECT_EQ(aligned.unit_index(2 * 34 + 1), 32 * 2 + 8 + 2);  // row 34: second panel
    const PanelLayout odd{n - 5, 50, 32, true};                 // the second panel has 3 columns
    EXPECT_EQ(odd.zero_points_bytes(), 2 * 16 + 2 * 2);
    EXPECT_EQ(odd.zero_points_offset(0, 1), 16);
    EXPECT_EQ(odd.zero_points_offset(1, 1), 32 + 2);
}

}  // namespace
}  // namespace lk::test
