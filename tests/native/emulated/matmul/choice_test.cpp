// The choice among kernels: every one can run where it is chosen, and invariance depends on nothing that it must not.
#include "matmul/cuda/choice.h"

#include "matmul/sample_weight.h"
#include "platform/cuda_emulated/architecture.h"

namespace lk::cuda::testing {
namespace {

constexpr int kArchitectures[] = {80, 86, 89, 90};

DeviceFacts device_of(int architecture, int multiprocessors = 100) {
    DeviceFacts facts;
    facts.compute_capability = architecture;
    facts.multiprocessors = multiprocessors;
    facts.shared_bytes_per_block = emulated::max_shared_bytes_of_block(architecture);
    facts.shared_bytes_per_multiprocessor = emulated::multiprocessor_of(architecture).shared_bytes;
    return facts;
}

FragmentView view_of(const SampleFormat& format, int64_t out_features, int64_t in_features) {
    lk_weight weight;
    weight.tensors.out_features = out_features;
    weight.tensors.in_features = in_features;
    weight.codec = format.codec;
    return FragmentView(weight);
}

const SampleFormat kInt4 = affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::none, 8);

std::vector<SampleFormat> one_of_each_codec() {
    return {
        kInt4,
        affine_format("Q4_1", ScaleKind::f16, 32, OffsetKind::minimum, 0),
        table_format("NF4", ScaleKind::f32, 64),
        e2m1_format("MXFP4", ScaleKind::e8m0, 32),
        e2m1_format("NVFP4", ScaleKind::e4m3, 16),
    };
}

TEST(Choice, FitsIntoSharedMemoryEverywhere) {
    for (const int architecture : kArchitectures) {
        const DeviceFacts device = device_of(architecture);
        for (const SampleFormat& format : one_of_each_codec()) {
            for (const int64_t n : {64, 4096, 14336}) {
                const FragmentView weight = view_of(format, n, 4096);
                for (const int64_t tokens : {1, 8, 9, 33, 65, 300, 4096}) {
                    for (const bool invariant : {false, true}) {
                        const MatmulChoice choice = choose_matmul(weight, LK_DTYPE_F16, tokens, device, invariant);
                        if (choice.path != MatmulPath::batch) continue;
                        const BatchKernel kernel =
                            batch_kernel(batch_codec(format.codec), LK_DTYPE_F16, choice.batch.tokens);
                        EXPECT_LE(kernel.shared_bytes + 1024, device.shared_bytes_per_block)
                            << format.name << ", sm_" << architecture << ", " << tokens << " tokens";
                        EXPECT_GE(choice.batch.blocks, 1);
                        EXPECT_GE(choice.batch.slices, 1);
                    }
                }
            }
        }
    }
}

TEST(Choice, EveryTileFitsEverywhere) {
    for (const int architecture : kArchitectures) {
        for (const SampleFormat& format : one_of_each_codec()) {
            for (const int tokens : {8, 32, 64, 128}) {
                EXPECT_LE(batch_kernel(batch_codec(format.codec), LK_DTYPE_BF16, tokens).shared_bytes + 1024,
                          emulated::max_shared_bytes_of_block(architecture))
                    << format.name << ", sm_" << architecture << ", " << tokens << " tokens";
            }
        }
    }
}

TEST(Choice, InvariantSlicesDependOnTheWeightAlone) {
    for (const int architecture : kArchitectures) {
        for (const int64_t n : {64, 2880, 4096, 14336}) {
            for (const int64_t k : {32, 2880, 4096, 14336}) {
                const FragmentView weight = view_of(kInt4, n, k);
                const auto choose = [&](int64_t tokens, int multiprocessors) {
                    return choose_matmul(weight, LK_DTYPE_F16, tokens, device_of(architecture, multiprocessors), true);
                };
                const int slices = choose(1, 100).batch.slices;
                for (const int64_t tokens : {1, 2, 8, 9, 64, 65, 300, 5000}) {
                    for (const int multiprocessors : {1, 16, 100, 144}) {
                        const MatmulChoice choice = choose(tokens, multiprocessors);
                        EXPECT_EQ(choice.path, MatmulPath::batch);
                        EXPECT_EQ(choice.batch.slices, slices) << "N " << n << ", K " << k << ", M " << tokens;
                    }
                }
            }
        }
    }
}

TEST(Choice, FollowsTheNumberOfTokens) {
    const DeviceFacts device = device_of(90, 132);
    const auto choose = [&](int64_t tokens, int64_t n) {
        return choose_matmul(view_of(kInt4, n, 4096), LK_DTYPE_F16, tokens, device, false);
    };
    EXPECT_EQ(choose(8, 4096).path, MatmulPath::decode);
    EXPECT_EQ(choose(9, 4096).path, MatmulPath::batch);
    // Few rows of W leave multiprocessors idle unless K is cut; many tiles need no cut.
    EXPECT_GT(choose(16, 1024).batch.slices, 1);
    EXPECT_EQ(choose(4096, 4096).batch.slices, 1);
    EXPECT_EQ(choose(4096, 4096).batch.tokens, 128);
    EXPECT_LT(choose(9, 14336).batch.tokens, 128);
}

TEST(Choice, LeavesToThePlainKernelWhatTensorCoresDoNotTake) {
    const DeviceFacts device = device_of(80);
    EXPECT_EQ(choose_matmul(view_of(kInt4, 64, 64), LK_DTYPE_F32, 1, device, false).path, MatmulPath::plain);
    SampleFormat straddling = table_format("NF4", ScaleKind::f32, 64);
    straddling.codec.groups_straddle_rows = true;
    EXPECT_EQ(choose_matmul(view_of(straddling, 64, 72), LK_DTYPE_F16, 1, device, true).path, MatmulPath::plain);
}

}  // namespace
}  // namespace lk::cuda::testing
