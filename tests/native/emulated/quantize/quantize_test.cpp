// Quantizing on the emulated device gives the bits of the CPU's reference path.
#include "emulated/backend/rig.h"

namespace lk::test {
namespace {

struct QuantizeCase {
    int64_t rows;
    int64_t columns;
    int64_t padding;  // elements between rows
    int64_t group_size;
    lk_dtype dtype;
    lk_format format = LK_FORMAT_BNB_NF4;
    lk_dtype scale_dtype = LK_DTYPE_F32;
    uint32_t has_zero_points = 0;
};

void PrintTo(const QuantizeCase& c, std::ostream* out) {
    *out << c.rows << " x " << c.columns << " + " << c.padding << " to format " << c.format << " in groups of "
         << c.group_size << ", dtype " << c.dtype << ", scales " << c.scale_dtype << ", zero points "
         << c.has_zero_points;
}

// Values of many magnitudes, zeros, subnormals whose reciprocal is infinite, and absmax of either sign.
Matrix awkward_matrix(int64_t rows, int64_t columns) {
    Matrix matrix = random_matrix(rows, columns, 9);
    for (size_t i = 0; i < matrix.values.size(); ++i) {
        const size_t stretch = i / 64 % 6;
        if (stretch == 1) matrix.values[i] = 0;
        if (stretch == 2) matrix.values[i] *= 1e-39f;
        if (stretch == 3) matrix.values[i] *= 6e4f;
        if (stretch == 4 && i % 3 != 0) matrix.values[i] = -0.0f;
    }
    return matrix;
}

class Quantize : public BackendTest, public testing::WithParamInterface<QuantizeCase> {};

TEST_P(Quantize, GivesTheCpusBits) {
    const QuantizeCase& c = GetParam();
    std::vector<std::vector<std::vector<unsigned char>>> bytes;
    for (const bool on_device : {true, false}) {
        Context context = make_context(on_device ? emulated_options() : context_options(LK_CPU_REFERENCE));
        DeviceMatrix w(context, c.rows, c.columns, c.dtype, c.padding);
        w.upload(awkward_matrix(c.rows, c.columns));
        const lk_quantize_options options{sizeof options, c.format, c.group_size, 0, c.scale_dtype, c.has_zero_points};
        Weight weight;
        LK_ASSERT_OK(lk_quantize(context, &w.view, &options, weight.out()));
        lk_weight_tensors sizes{};
        sizes.struct_size = sizeof sizes;
        LK_ASSERT_OK(lk_weight_describe(weight, &sizes));
        Tensors tensors(sizes);
        LK_ASSERT_OK(lk_weight_unpack(context, weight, &tensors.view));
        bytes.push_back(std::move(tensors.storage));
    }
    EXPECT_EQ(bytes[0], bytes[1]);
}

// The place that both name.
TEST_F(BackendTest, QuantizeNamesWhatIsNotFiniteAndWhatIsBeyondTheScalesType) {
    for (const bool on_device : {true, false}) {
        Context context = make_context(on_device ? emulated_options() : context_options(LK_CPU_REFERENCE));
        for (const bool large : {true, false}) {
            Matrix values = random_matrix(4, 96, 1);
            values.at(2, 70) = large ? 3e6f : NAN;
            values.at(3, 5) = large ? -3e6f : INFINITY;
            const DeviceMatrix w(context, values, LK_DTYPE_F32);
            const lk_quantize_options options{sizeof options, LK_FORMAT_INT4_PACKED, 32, 0,
                                              LK_DTYPE_F16,   large ? 1u : 0u};
            Weight weight;
            EXPECT_EQ(lk_quantize(context, &w.view, &options, weight.out()), LK_INVALID_ARGUMENT);
            const std::string message = lk_last_error();
            EXPECT_NE(message.find(large ? "w[2, 64 ... 95]" : "w[2, 70]"), std::string::npos) << message;
        }
    }
}

constexpr lk_format kFp4 = LK_FORMAT_BNB_FP4;
constexpr lk_format kInt4 = LK_FORMAT_INT4_PACKED;

INSTANTIATE_TEST_SUITE_P(Fp4, Quantize,
                         testing::Values(QuantizeCase{7, 128, 0, 32, LK_DTYPE_F32, kFp4},
                                         QuantizeCase{9, 171, 3, 64, LK_DTYPE_F16, kFp4},
                                         QuantizeCase{3, 1024, 0, 512, LK_DTYPE_BF16, kFp4}));

// Groups that follow each other in memory, and groups that do not; whole rows; last groups and words that are not full.
INSTANTIATE_TEST_SUITE_P(Int4, Quantize,
                         testing::Values(QuantizeCase{7, 128, 0, 32, LK_DTYPE_F32, kInt4, LK_DTYPE_F32, 0},
                                         QuantizeCase{7, 128, 0, 64, LK_DTYPE_F32, kInt4, LK_DTYPE_F32, 1},
                                         QuantizeCase{9, 256, 0, 128, LK_DTYPE_F16, kInt4, LK_DTYPE_BF16, 0},
                                         QuantizeCase{9, 256, 0, 256, LK_DTYPE_BF16, kInt4, LK_DTYPE_BF16, 1},
                                         QuantizeCase{5, 136, 8, 128, LK_DTYPE_BF16, kInt4, LK_DTYPE_BF16, 1},
                                         QuantizeCase{9, 171, 3, 64, LK_DTYPE_F32, kInt4, LK_DTYPE_BF16, 1},
                                         QuantizeCase{3, 1000, 0, 96, LK_DTYPE_F32, kInt4, LK_DTYPE_F32, 0},
                                         QuantizeCase{3, 77, 0, 77, LK_DTYPE_F16, kInt4, LK_DTYPE_F32, 1},
                                         QuantizeCase{4, 5000, 0, 5000, LK_DTYPE_F32, kInt4, LK_DTYPE_BF16, 0},
                                         QuantizeCase{1, 1, 0, 32, LK_DTYPE_F32, kInt4, LK_DTYPE_F32, 1}));

INSTANTIATE_TEST_SUITE_P(
    Shapes, Quantize,
    testing::Values(QuantizeCase{7, 128, 0, 32, LK_DTYPE_F32}, QuantizeCase{7, 128, 0, 64, LK_DTYPE_F16},
                    QuantizeCase{5, 136, 8, 128, LK_DTYPE_BF16}, QuantizeCase{6, 200, 8, 64, LK_DTYPE_F32},
                    QuantizeCase{9, 171, 3, 64, LK_DTYPE_F16}, QuantizeCase{1, 1, 0, 64, LK_DTYPE_F32},
                    QuantizeCase{3, 515, 0, 256, LK_DTYPE_BF16}, QuantizeCase{3, 1024, 0, 512, LK_DTYPE_F16},
                    QuantizeCase{5, 1000, 1, 4096, LK_DTYPE_F32}, QuantizeCase{3, 4096, 0, 4096, LK_DTYPE_F32}));

}  // namespace
}  // namespace lk::test
