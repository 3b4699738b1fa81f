// Every operation on the emulated device against the CPU's reference path.
#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

struct Case {
    const char* name;
    Shape shape;
    lk_dtype dtype;
    int64_t rows;
};

class BackendOperation : public BackendTest, public testing::WithParamInterface<Case> {
  protected:
    // Rows without adapter, with one, with two; the last row's is that of the first.
    static std::vector<int> adapters_of(int64_t rows) {
        std::vector<int> adapters;
        for (int64_t r = 0; r < rows; ++r) adapters.push_back(int(r % 4) - 1);
        adapters.back() = 0;
        return adapters;
    }

    void set_up(int64_t rows) {
        LK_ASSERT_OK(emulated.set(adapters_of(rows)));
        LK_ASSERT_OK(reference.set(adapters_of(rows)));
    }

    Rig emulated{emulated_options(), GetParam().shape};
    Rig reference{context_options(LK_CPU_REFERENCE), GetParam().shape};
};

TEST_P(BackendOperation, DequantizeGivesTheSameBits) {
    EXPECT_EQ(bits_of(emulated.dequantize(GetParam().dtype)), bits_of(reference.dequantize(GetParam().dtype)));
}

TEST_P(BackendOperation, UnpackGivesTheCheckpointsBytes) {
    lk_weight_tensors sizes{};
    sizes.struct_size = sizeof sizes;
    LK_ASSERT_OK(lk_weight_describe(emulated.weight, &sizes));
    Tensors actual(sizes), expected(sizes);
    LK_ASSERT_OK(lk_weight_unpack(emulated.context, emulated.weight, &actual.view));
    LK_ASSERT_OK(lk_weight_unpack(reference.context, reference.weight, &expected.view));
    EXPECT_EQ(actual.storage, expected.storage);
}

TEST_P(BackendOperation, MatmulAndLinearAreExactEnough) {
    const auto [name, shape, dtype, rows] = GetParam();
    set_up(rows);
    const Matrix x = random_matrix(rows, shape.in, 3);
    for (const bool with_batch : {false, true}) {
        const Matrix actual = emulated.linear(x, dtype, with_batch, with_batch);
        const Matrix expected = reference.linear(x, dtype, with_batch, with_batch);
        EXPECT_LE(relative_error(actual, expected), tolerance(dtype)) << "batch " << with_batch;
    }
}

TEST_P(BackendOperation, ShrinkExpandAndApplyAreExactEnough) {
    const auto [name, shape, dtype, rows] = GetParam();
    set_up(rows);
    const Matrix x = random_matrix(rows, shape.in, 3), y = random_matrix(rows, shape.out, 4);
    const Matrix values = reference.shrink(x, dtype);
    EXPECT_LE(relative_error(emulated.shrink(x, dtype), values), 1e-5);
    EXPECT_LE(relative_error(emulated.expand(values, y, dtype), reference.expand(values, y, dtype)), tolerance(dtype));
    EXPECT_LE(relative_error(emulated.apply(x, y, dtype), reference.apply(x, y, dtype)), tolerance(dtype));
}

TEST_P(BackendOperation, ARowsBitsDoNotDependOnItsBatch) {
    const auto [name, shape, dtype, rows] = GetParam();
    set_up(rows);
    const Matrix x = random_matrix(rows, shape.in, 3);
    const Matrix all = emulated.linear(x, dtype, true, true);
    LK_ASSERT_OK(emulated.set({adapters_of(rows)[0]}));
    Matrix one(1, shape.in);
    std::copy_n(x.values.begin(), shape.in, one.values.begin());
    Matrix first(1, shape.out);
    std::copy_n(all.values.begin(), shape.out, first.values.begin());
    EXPECT_EQ(bits_of(emulated.linear(one, dtype, true, true)), bits_of(first));
}

TEST_P(BackendOperation, QuantizeGivesTheSameBits) {
    const auto [name, shape, dtype, rows] = GetParam();
    if (shape.format != LK_FORMAT_BNB_NF4) return;
    const Matrix w = random_matrix(rows + 3, shape.in, 5);
    std::vector<std::vector<std::vector<unsigned char>>> bytes;
    for (Rig* rig : {&emulated, &reference}) {
        const DeviceMatrix on_device(rig->context, w, dtype);
        const lk_quantize_options options{
            sizeof options, LK_FORMAT_BNB_NF4, shape.group, shape.outer_group == 0 ? 0 : 256, LK_DTYPE_F32, 0};
        Weight weight;
        LK_ASSERT_OK(lk_quantize(rig->context, &on_device.view, &options, weight.out()));
        lk_weight_tensors sizes{};
        sizes.struct_size = sizeof sizes;
        LK_ASSERT_OK(lk_weight_describe(weight, &sizes));
        Tensors tensors(sizes);
        LK_ASSERT_OK(lk_weight_unpack(rig->context, weight, &tensors.view));
        const auto* offset = reinterpret_cast<const unsigned char*>(&sizes.outer_offset);
        tensors.storage.emplace_back(offset, offset + sizeof sizes.outer_offset);
        bytes.push_back(std::move(tensors.storage));
    }
    EXPECT_EQ(bytes[0], bytes[1]);
}

TEST_P(BackendOperation, AnInputThatIsNotFiniteStaysInItsRow) {
    const auto [name, shape, dtype, rows] = GetParam();
    set_up(rows);
    Matrix x = random_matrix(rows, shape.in, 3);
    const Matrix clean = emulated.linear(x, dtype, true, true);
    for (const float bad : {INFINITY, -INFINITY, NAN}) {
        x.at(rows - 1, shape.in - 1) = bad;
        const Matrix actual = emulated.linear(x, dtype, true, true);
        const size_t before = size_t((rows - 1) * shape.out);
        EXPECT_TRUE(std::equal(clean.values.begin(), clean.values.begin() + ptrdiff_t(before), actual.values.begin()));
        for (size_t i = before; i < actual.values.size(); ++i) EXPECT_FALSE(std::isfinite(actual.values[i]));
    }
}

// fp32 sums reach both infinities here.
TEST_P(BackendOperation, LargeFiniteInputsGiveNoNaN) {
    const auto [name, shape, dtype, rows] = GetParam();
    set_up(rows);
    const float largest = dtype == LK_DTYPE_F16 ? 65504.0f : 3.3e38f;
    Matrix x = random_matrix(rows, shape.in, 3);
    for (float& value : x.values) value = value < 0 ? -largest : largest;
    Matrix y = random_matrix(rows, shape.out, 4);
    for (const Matrix& actual :
         {emulated.linear(x, dtype, true, true), emulated.apply(x, y, dtype), emulated.shrink(x, dtype)}) {
        for (const float value : actual.values) EXPECT_FALSE(std::isnan(value));
    }
}

INSTANTIATE_TEST_SUITE_P(
    Backend, BackendOperation,
    testing::Values(Case{"NestedF16", {}, LK_DTYPE_F16, 5},
                    Case{"PlainBF16", {.in = 64, .out = 33, .outer_group = 0}, LK_DTYPE_BF16, 1},
                    Case{"GroupsAcrossRowsF32", {.in = 101, .out = 40, .group = 64, .outer_group = 3}, LK_DTYPE_F32, 9},
                    Case{"Q4_0F32", {.in = 160, .out = 70, .format = LK_FORMAT_GGUF_Q4_0}, LK_DTYPE_F32, 3},
                    Case{"DeepF32", {.in = 300, .out = 20, .group = 32, .ranks = {1, 40, 129}}, LK_DTYPE_F32, 34}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace lk::test
