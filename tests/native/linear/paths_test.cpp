// Every instruction set path against the reference path, over shapes that end in the middle of everything.
#include <cmath>

#include "support/abi.h"

namespace lk::test {
namespace {

struct Case {
    int64_t m;
    lk_weight_tensors weight;
};

double relative_error(const Matrix& actual, const Matrix& expected) {
    double difference = 0, norm = 0;
    for (size_t i = 0; i < expected.values.size(); ++i) {
        const double e = double(actual.values[i]) - double(expected.values[i]);
        difference += e * e;
        norm += double(expected.values[i]) * double(expected.values[i]);
    }
    return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

class Paths : public testing::TestWithParam<Case> {
  protected:
    // y of one path: weight, two adapters of different ranks on a module with two slices, bias.
    Matrix run(lk_cpu_isa isa, lk_compute compute = LK_COMPUTE_PRECISE) {
        const int64_t m = GetParam().m, n = GetParam().weight.out_features, k = GetParam().weight.in_features;
        Context context = make_context(isa, compute);
        Tensors tensors(GetParam().weight);
        fill(tensors, 1);
        Weight weight;
        LK_EXPECT_OK(lk_weight_pack(context, &tensors.view, weight.out()));

        const int64_t left = n / 3;
        const lk_output_slice slices[] = {{0, left}, {left, n - left}};
        const lk_lora_module module{sizeof module, 2, k, n, slices};
        Table table;
        LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, table.out()));
        int64_t ids[2];
        for (int i = 0; i < 2; ++i) {
            const int64_t rank = i == 0 ? 3 : 17;
            Matrix a = random_matrix(rank, k, uint32_t(10 + i));
            Matrix b = random_matrix(n - left, rank, uint32_t(20 + i));
            const lk_lora_factors factors{sizeof factors, 0, 1, 0.5f, a.view(), b.view(), {}, {}};
            LK_EXPECT_OK(lk_lora_table_add(context, table, &factors, 1, &ids[i]));
        }
        Batch batch;
        const lk_lora_batch_options capacities{sizeof capacities, 0, m, m, 2, m * 3};
        LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
        std::vector<int64_t> adapters;
        for (int64_t r = 0; r < m; ++r) adapters.push_back(r % 3 == 0 ? LK_ADAPTER_NONE : ids[r % 3 - 1]);
        const lk_lora_assignment assignment{sizeof assignment, 0, m, nullptr, adapters.data(), nullptr};
        LK_EXPECT_OK(lk_lora_batch_set(context, batch, &assignment));

        Matrix x = random_matrix(m, k, 3);
        Matrix bias = random_matrix(1, n, 4);
        Matrix y(m, n);
        const lk_matrix x_view = x.view(), bias_view = bias.view(), y_view = y.view();
        LK_EXPECT_OK(lk_linear(context, &x_view, weight, batch, 0, &bias_view, &y_view));
        return y;
    }
};

TEST_P(Paths, AgreeWithReference) {
    const Matrix expected = run(LK_CPU_REFERENCE);
    for (const lk_cpu_isa isa : fast_paths()) {
        EXPECT_LE(relative_error(run(isa), expected), 1e-6) << "path " << isa;
    }
}

TEST_P(Paths, AgreeWithReferenceInInt8) {
    const Matrix expected = run(LK_CPU_REFERENCE);
    for (const lk_cpu_isa isa : fast_paths()) {
        EXPECT_LE(relative_error(run(isa, LK_COMPUTE_INT8), expected), 1e-2) << "path " << isa;
    }
}

INSTANTIATE_TEST_SUITE_P(Raw, Paths,
                         testing::Values(Case{3, f32_sizes(37, 33)}, Case{2, f16_sizes(70, 300)},
                                         Case{5, bf16_sizes(33, 129)}, Case{1, q8_0_sizes(64, 4096)},
                                         Case{3, q5_0_sizes(37, 96)}, Case{9, q5_1_sizes(33, 160)},
                                         Case{3, q2_k_sizes(37, 768)}, Case{3, q3_k_sizes(37, 768)},
                                         Case{3, q5_k_sizes(37, 768)}, Case{300, q6_k_sizes(37, 768)},
                                         Case{3, iq4_xs_sizes(37, 768)}));

INSTANTIATE_TEST_SUITE_P(BitsAndBytes, Paths,
                         testing::Values(Case{1, nf4_sizes(1, 1, 32, 0)}, Case{2, nf4_sizes(33, 7, 64, 0)},
                                         Case{3, nf4_sizes(40, 100, 64, 256)}, Case{3, nf4_sizes(40, 128, 32, 5)},
                                         Case{5, nf4_sizes(64, 256, 64, 256)}, Case{1, nf4_sizes(31, 128, 128, 0)},
                                         Case{17, nf4_sizes(65, 129, 32, 256)}, Case{4, nf4_sizes(32, 4096, 4096, 0)},
                                         Case{300, nf4_sizes(35, 192, 64, 256)}, Case{0, nf4_sizes(5, 64, 64, 0)},
                                         Case{3, nf4_sizes(0, 64, 64, 256)}, Case{3, nf4_sizes(5, 0, 64, 0)},
                                         Case{3, fp4_sizes(40, 100, 64, 256)}));

INSTANTIATE_TEST_SUITE_P(Gguf, Paths,
                         testing::Values(Case{2, q4_0_sizes(96, 320)}, Case{65, q4_0_sizes(5, 32)},
                                         Case{3, q4_1_sizes(37, 160)}, Case{3, iq4_nl_sizes(37, 160)},
                                         Case{3, q4_k_sizes(37, 768)}));

constexpr Int4Options kAll{LK_DTYPE_F32, true, true};

INSTANTIATE_TEST_SUITE_P(Int4, Paths,
                         testing::Values(Case{3, int4_sizes(37, 160, 32)}, Case{300, int4_sizes(35, 131, 64, kAll)},
                                         Case{2, int4_sizes(33, 100, 100, {LK_DTYPE_BF16, true, false})},
                                         Case{9, int4_sizes(70, 300, 128, {LK_DTYPE_F16, false, true})},
                                         Case{1, int4_sizes(1, 1, 1, kAll)}));

INSTANTIATE_TEST_SUITE_P(Float4, Paths,
                         testing::Values(Case{3, mxfp4_sizes(37, 160)}, Case{3, nvfp4_sizes(37, 176, false)},
                                         Case{3, nvfp4_sizes(37, 48, true)}));

}  // namespace
}  // namespace lk::test
