// Every instruction set path against the reference path, over shapes that end in the middle of everything.
#include <cmath>

#include "support/abi.h"

namespace lk::test {
namespace {

struct Shape {
    int64_t m, n, k, group, outer_group;  // group 0: Q4_0
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

class Paths : public testing::TestWithParam<Shape> {
  protected:
    // y of one path: weight, two adapters of different ranks on a module with two slices, bias.
    Matrix run(lk_cpu_isa isa) {
        const Shape shape = GetParam();
        Context context = make_context(isa);
        Tensors tensors(shape.group == 0 ? q4_0_sizes(shape.n, shape.k)
                                         : nf4_sizes(shape.n, shape.k, shape.group, shape.outer_group));
        fill(tensors, 1);
        Weight weight;
        LK_EXPECT_OK(lk_weight_pack(context, &tensors.view, weight.out()));

        const int64_t left = shape.n / 3;
        const lk_output_slice slices[] = {{0, left}, {left, shape.n - left}};
        const lk_lora_module module{sizeof module, 2, shape.k, shape.n, slices};
        Table table;
        LK_EXPECT_OK(lk_lora_table_create(context, &module, 1, table.out()));
        int64_t ids[2];
        for (int i = 0; i < 2; ++i) {
            const int64_t rank = i == 0 ? 3 : 17;
            Matrix a = random_matrix(rank, shape.k, uint32_t(10 + i));
            Matrix b = random_matrix(shape.n - left, rank, uint32_t(20 + i));
            const lk_lora_factors factors{sizeof factors, 0, 1, 0.5f, a.view(), b.view()};
            LK_EXPECT_OK(lk_lora_table_add(context, table, &factors, 1, &ids[i]));
        }
        Batch batch;
        const lk_lora_batch_options capacities{sizeof capacities, 0, shape.m, shape.m, 2, shape.m * 3};
        LK_EXPECT_OK(lk_lora_batch_create(context, table, &capacities, batch.out()));
        std::vector<int64_t> adapters;
        for (int64_t r = 0; r < shape.m; ++r) adapters.push_back(r % 3 == 0 ? LK_ADAPTER_NONE : ids[r % 3 - 1]);
        const lk_lora_assignment assignment{sizeof assignment, 0, shape.m, nullptr, adapters.data(), nullptr};
        LK_EXPECT_OK(lk_lora_batch_set(context, batch, &assignment));

        Matrix x = random_matrix(shape.m, shape.k, 3);
        Matrix bias = random_matrix(1, shape.n, 4);
        Matrix y(shape.m, shape.n);
        const lk_matrix x_view = x.view(), bias_view = bias.view(), y_view = y.view();
        LK_EXPECT_OK(lk_linear(context, &x_view, weight, batch, 0, &bias_view, &y_view));
        return y;
    }
};

TEST_P(Paths, PortableAgreesWithReference) {
    const Matrix expected = run(LK_CPU_REFERENCE);
    const Matrix actual = run(LK_CPU_PORTABLE);
    EXPECT_LE(relative_error(actual, expected), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Paths,
                         testing::Values(Shape{1, 1, 1, 32, 0}, Shape{2, 33, 7, 64, 0}, Shape{3, 40, 100, 64, 256},
                                         Shape{3, 40, 128, 32, 5}, Shape{5, 64, 256, 64, 256},
                                         Shape{1, 31, 128, 128, 0}, Shape{17, 65, 129, 32, 256},
                                         Shape{4, 32, 4096, 4096, 0}, Shape{300, 35, 192, 64, 256},
                                         Shape{2, 96, 320, 0, 0}, Shape{65, 5, 32, 0, 0}, Shape{0, 5, 64, 64, 0},
                                         Shape{3, 0, 64, 64, 256}, Shape{3, 5, 0, 64, 0}));

}  // namespace
}  // namespace lk::test
