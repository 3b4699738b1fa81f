// The kernel without tensor cores against the CPU's reference path.
#include "matmul/cuda/plain.h"

#include "core/context.h"
#include "emulated/backend/rig.h"
#include "platform/cuda/device.h"

namespace lk::test {
namespace {

using cuda::PlainChoice;

struct PlainCase {
    const char* name;
    lk_weight_tensors tensors;
    lk_dtype dtype;
    int64_t tokens;
    PlainChoice choice;
};

void PrintTo(const PlainCase& c, std::ostream* out) {
    *out << c.name << " " << c.tensors.out_features << " x " << c.tensors.in_features << ", " << c.tokens
         << " tokens in tiles of " << c.choice.tokens << ", " << c.choice.slices << " slices";
}

class PlainRig {
  public:
    PlainRig(const lk_weight_tensors& tensors, lk_dtype of) : dtype(of), given(tensors) {
        fill(given, 5);
        LK_EXPECT_OK(lk_weight_pack(context, &given.view, weight.out()));
    }

    // x * W^T + bias.
    Matrix run(const Matrix& input, const PlainChoice& choice) {
        const int64_t m = input.rows, n = given.view.out_features;
        const DeviceMatrix x(context, input, dtype), y(context, m, n, dtype);
        const DeviceMatrix bias(context, random_matrix(1, n, 77), LK_DTYPE_F16);
        const cuda::FragmentView view(*weight);
        const cuda::PlainScratch scratch = plain_scratch(view.layout, m, choice);
        const DeviceMatrix sums(context, Matrix(1, scratch.sums), LK_DTYPE_F32);
        const DeviceMatrix arrivals(context, Matrix(1, scratch.arrivals), LK_DTYPE_F32);
        cuda::Device& device = cuda::Device::open(0);
        {
            const cuda::CurrentContext current(device);
            const cuda::Stream stream(device,
                                      static_cast<cudaStream_t>(static_cast<lk_context*>(context)->backend->stream()));
            const cuda::MatmulArguments arguments{view, {}, x.view, {}, bias.view, y.view};
            plain(stream, arguments, choice, static_cast<float4*>(sums.view.data),
                  static_cast<uint32_t*>(arrivals.view.data), false);
        }
        Matrix result = y.download();
        EXPECT_EQ(bits_of(arrivals.download()), std::vector<uint32_t>(size_t(scratch.arrivals)));
        return result;
    }

    lk_dtype dtype;
    Tensors given;
    Context context = make_context(emulated_options());
    Weight weight;
};

Matrix expected(Tensors& given, const Matrix& input, lk_dtype dtype) {
    const int64_t n = given.view.out_features;
    Context context = make_context(context_options(LK_CPU_REFERENCE));
    Weight weight;
    LK_EXPECT_OK(lk_weight_pack(context, &given.view, weight.out()));
    const DeviceMatrix x(context, input, dtype), y(context, input.rows, n, dtype);
    const DeviceMatrix bias(context, random_matrix(1, n, 77), LK_DTYPE_F16);
    LK_EXPECT_OK(lk_matmul(context, &x.view, weight, &bias.view, &y.view));
    return y.download();
}

class Plain : public BackendTest, public testing::WithParamInterface<PlainCase> {};

TEST_P(Plain, IsExactEnough) {
    const PlainCase& c = GetParam();
    PlainRig rig(c.tensors, c.dtype);
    const Matrix input = random_matrix(c.tokens, c.tensors.in_features, 3);
    const Matrix actual = rig.run(input, c.choice);
    EXPECT_LE(relative_error(actual, expected(rig.given, input, c.dtype)), tolerance(c.dtype));
    EXPECT_EQ(bits_of(rig.run(input, c.choice)), bits_of(actual));
}

constexpr PlainChoice kFew{8, 1}, kFewSliced{8, 2}, kMany{64, 1}, kManySliced{64, 2};

INSTANTIATE_TEST_SUITE_P(
    Formats, Plain,
    testing::Values(PlainCase{"NF4", nf4_sizes(33, 96, 32, 256), LK_DTYPE_F32, 1, kFew},
                    PlainCase{"NF4 straddling", nf4_sizes(140, 171, 64, 256), LK_DTYPE_F32, 9, kMany},
                    PlainCase{"NF4 straddling", nf4_sizes(129, 520, 64, 0), LK_DTYPE_F16, 8, kFewSliced},
                    PlainCase{"NF4 straddling", nf4_sizes(20, 420, 64, 256), LK_DTYPE_BF16, 65, kManySliced},
                    PlainCase{"FP4 straddling", fp4_sizes(5, 7, 64, 0), LK_DTYPE_F16, 3, kMany},
                    PlainCase{"Q4_0", q4_0_sizes(257, 416), LK_DTYPE_F32, 8, kFewSliced},
                    PlainCase{"Q4_1", q4_1_sizes(34, 160), LK_DTYPE_F32, 65, kMany},
                    PlainCase{"Q4_K", q4_k_sizes(34, 512), LK_DTYPE_F32, 4, kFewSliced},
                    PlainCase{"int4 zero order", int4_sizes(41, 260, 64, {.zero_points = true, .group_index = true}),
                              LK_DTYPE_F32, 10, kManySliced},
                    PlainCase{"int4 rows", int4_sizes(33, 100, 100), LK_DTYPE_F32, 2, kFew},
                    PlainCase{"MXFP4", mxfp4_sizes(34, 160), LK_DTYPE_F32, 8, kFew},
                    PlainCase{"raw F16", f16_sizes(35, 99), LK_DTYPE_F16, 3, kFew},
                    PlainCase{"raw Q8_0", q8_0_sizes(130, 416), LK_DTYPE_BF16, 8, kFewSliced},
                    PlainCase{"raw Q6_K", q6_k_sizes(34, 512), LK_DTYPE_F32, 65, kMany},
                    PlainCase{"NVFP4", nvfp4_sizes(65, 144, true), LK_DTYPE_F32, 17, kMany}),
    [](const auto& info) {
        std::string name = info.param.name + std::to_string(info.index);
        std::erase(name, ' ');
        return name;
    });

class PlainRows : public BackendTest {};

TEST_F(PlainRows, HaveTheSameBitsInAnyBatchWhereInvariant) {
    PlainRig rig(nf4_sizes(40, 1100, 64, 256), LK_DTYPE_F32);
    const cuda::FragmentLayout layout = cuda::FragmentView(*rig.weight).layout;
    const Matrix input = random_matrix(130, 1100, 3);
    const Matrix all = rig.run(input, plain_choice(layout, 130, 132, true));
    for (const int64_t rows : {1, 8, 9, 65}) {
        Matrix last(rows, 1100);
        std::copy(input.values.end() - rows * 1100, input.values.end(), last.values.begin());
        const Matrix actual = rig.run(last, plain_choice(layout, rows, 132, true));
        EXPECT_TRUE(std::equal(actual.values.begin(), actual.values.end(), all.values.end() - rows * 40)) << rows;
    }
}

TEST_F(PlainRows, HaveTheSameBitsInEverySchedule) {
    PlainRig rig(nf4_sizes(40, 1100, 64, 256), LK_DTYPE_F32);
    const Matrix input = random_matrix(9, 1100, 3);
    std::vector<uint32_t> first;
    for (int seed = 1; seed <= 8; ++seed) {
        LK_ASSERT_OK(lk_emulated_configure_text(("seed=" + std::to_string(seed)).c_str()));
        const std::vector<uint32_t> bits = bits_of(rig.run(input, {64, 3}));
        if (seed == 1) first = bits;
        EXPECT_EQ(bits, first) << seed;
    }
}

TEST_F(PlainRows, AreCutIntoSlicesThatAreNotEmpty) {
    for (const int64_t in_features : {1, 32, 3420, 14336}) {
        for (const int64_t out_features : {1, 128, 4096, 128256}) {
            for (const int64_t tokens : {1, 9, 300}) {
                const cuda::FragmentLayout layout{out_features, in_features, 64};
                const PlainChoice choice = plain_choice(layout, tokens, 132, false);
                EXPECT_GE(choice.slices, 1);
                const int64_t slice_blocks = round_up(divide_up(layout.blocks(), choice.slices), 4);
                EXPECT_LT((choice.slices - 1) * slice_blocks, layout.blocks());
            }
        }
    }
}

}  // namespace
}  // namespace lk::test
