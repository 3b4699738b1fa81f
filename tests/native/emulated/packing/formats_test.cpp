// Every format on the emulated device: fragments as their header describes them, the checkpoint's bytes back, the CPU's
// bits from dequantizing, and products.
#include "core/matrix.h"
#include "emulated/backend/rig.h"
#include "packing/cuda/fragment_view.h"
#include "packing/weight.h"

namespace lk::test {
namespace {

using cuda::FragmentLayout;

struct FormatCase {
    const char* name;
    lk_weight_tensors tensors;
};

void PrintTo(const FormatCase& c, std::ostream* out) {
    *out << c.name << " " << c.tensors.out_features << " x " << c.tensors.in_features;
}

lk_weight_tensors with_table(lk_weight_tensors t) {
    t.table.size = 64;
    return t;
}

// One weight in two contexts.
class Formats : public BackendTest, public testing::WithParamInterface<FormatCase> {
  protected:
    Formats() : given(GetParam().tensors) {
        fill(given, 7);
        if (given.view.table.size != 0) {
            for (int i = 0; i < 16; ++i) {
                const float value = float(i - 7) / 8;
                std::memcpy(static_cast<char*>(given.view.table.data) + i * 4, &value, 4);
            }
        }
        LK_EXPECT_OK(lk_weight_pack(context, &given.view, weight.out()));
        LK_EXPECT_OK(lk_weight_pack(reference, &given.view, expected.out()));
    }

    std::vector<uint8_t> download(const void* memory, int64_t bytes) {
        std::vector<uint8_t> result(size_t(bytes) + 1);
        const lk_matrix from{const_cast<void*>(memory), 1, bytes / 2, bytes / 2, LK_DTYPE_F16, 0};
        const lk_matrix to{result.data(), 1, bytes / 2, bytes / 2, LK_DTYPE_F16, 0};
        LK_EXPECT_OK(lk_copy(context, &from, LK_COPY_DEVICE_TO_HOST, &to));
        return result;
    }

    // y at `offset` elements behind an aligned address, rows `padding` elements apart.
    Matrix dequantize(lk_context* on, const lk_weight* of, lk_dtype dtype, int64_t offset, int64_t padding) {
        const int64_t n = given.view.out_features, k = given.view.in_features, stride = k + padding;
        Buffer buffer;
        LK_EXPECT_OK(lk_buffer_create(on, (n * stride + offset) * size_of(dtype), buffer.out()));
        void* data = nullptr;
        LK_EXPECT_OK(lk_buffer_data(buffer, &data));
        lk_matrix y{static_cast<char*>(data) + offset * size_of(dtype), n, k, stride, dtype, 0};
        LK_EXPECT_OK(lk_dequantize(on, of, &y));
        std::vector<char> bytes(size_t(n * k * size_of(dtype)));
        const lk_matrix host{bytes.data(), n, k, k, dtype, 0};
        LK_EXPECT_OK(lk_copy(on, &y, LK_COPY_DEVICE_TO_HOST, &host));
        Matrix values(n, k);
        for (int64_t r = 0; r < n; ++r) read_row(host, r, 0, k, values.values.data() + r * k);
        return values;
    }

    Context context = make_context(emulated_options());
    Context reference = make_context(context_options(LK_CPU_REFERENCE));
    Tensors given;
    Weight weight;
    Weight expected;
};

TEST_P(Formats, LieInFragments) {
    const lk_weight& w = *weight;
    const FragmentLayout layout = cuda::fragment_layout(w.tensors, w.codec);
    const cuda::Arrangement arrangement = cuda::arrangement_of(w.codec.value_kind);
    const std::vector<uint8_t> bytes = download(w.codes(), layout.codes_bytes());
    std::vector<uint32_t> actual(size_t(layout.codes_bytes() / 4)), words(actual.size());
    if (!actual.empty()) std::memcpy(actual.data(), bytes.data(), size_t(layout.codes_bytes()));
    const std::vector<uint8_t> order_bytes = download(w.order(), w.in_order ? 0 : layout.in_features * 4);
    std::vector<uint8_t> codes(size_t(layout.in_features));
    for (int64_t row = 0; row < layout.out_features; ++row) {
        read_codes(*w.format, given.view, row, codes.data());
        for (int64_t k = 0; k < layout.in_features; ++k) {
            int32_t original = int32_t(k);
            if (!w.in_order) std::memcpy(&original, order_bytes.data() + k * 4, 4);
            const cuda::CodePlace place = layout.place(row, k);
            words[size_t(place.word)] |= cuda::place_code(arrangement, codes[size_t(original)], place.slot);
        }
    }
    EXPECT_EQ(actual, words);
}

TEST_P(Formats, GiveTheCheckpointsBytesBack) {
    lk_weight_tensors sizes{};
    sizes.struct_size = sizeof sizes;
    LK_ASSERT_OK(lk_weight_describe(weight, &sizes));
    Tensors back(sizes);
    LK_ASSERT_OK(lk_weight_unpack(context, weight, &back.view));
    for (size_t i = 0; i < given.storage.size(); ++i) EXPECT_EQ(given.storage[i], back.storage[i]) << "part " << i;
}

TEST_P(Formats, DequantizeToTheCpusBits) {
    for (const lk_dtype dtype : {LK_DTYPE_F32, LK_DTYPE_F16, LK_DTYPE_BF16}) {
        const std::vector<uint32_t> bits = bits_of(dequantize(reference, expected, dtype, 0, 0));
        const int64_t to_aligned = round_up(given.view.in_features, 8) - given.view.in_features;
        EXPECT_EQ(bits_of(dequantize(context, weight, dtype, 0, to_aligned)), bits) << dtype;
        EXPECT_EQ(bits_of(dequantize(context, weight, dtype, 1, to_aligned)), bits) << dtype;
        EXPECT_EQ(bits_of(dequantize(context, weight, dtype, 1, 3)), bits) << dtype;
    }
}

TEST_P(Formats, MultiplyExactlyEnough) {
    const Matrix input = random_matrix(9, given.view.in_features, 3);
    for (const lk_dtype dtype : {LK_DTYPE_F32, LK_DTYPE_F16, LK_DTYPE_BF16}) {
        Matrix results[2] = {Matrix(0, 0), Matrix(0, 0)};
        for (const bool on_device : {false, true}) {
            lk_context* const on = on_device ? context : reference;
            const DeviceMatrix x(on, input, dtype), y(on, 9, given.view.out_features, dtype);
            LK_ASSERT_OK(lk_matmul(on, &x.view, on_device ? weight : expected, nullptr, &y.view));
            results[on_device] = y.download();
        }
        EXPECT_LE(relative_error(results[1], results[0]), tolerance(dtype)) << dtype;
    }
}

// The last panel's missing rows, and what each row lacks to a whole k-block, are all that a weight may take more.
TEST_P(Formats, TakeNoMoreThanTheirPadding) {
    int64_t packed = 0;
    LK_ASSERT_OK(lk_weight_packed_bytes(weight, &packed));
    const lk_weight_tensors& t = given.view;
    int64_t checkpoint = 0;
    for (lk_bytes lk_weight_tensors::*buffer : kWeightBuffers) checkpoint += (t.*buffer).size;
    const int64_t rows = round_up(t.out_features, 32);
    const int64_t weights = rows * round_up(t.in_features, 32);
    const double per_weight =
        t.out_features * t.in_features == 0 ? 0.5 : double(checkpoint) / double(t.out_features * t.in_features);
    const int64_t outer_table = 1024;
    EXPECT_LE(double(packed), double(weights) * per_weight + outer_table + 5 * 256);
}

// README.md's bound on a packed weight's size, for the formats with the least and the most bytes of scales.
TEST(PackedSize, IsTheCheckpointsWithinTwoPercentAnd64Kib) {
    for (const int64_t out_features : {1, 31, 32, 33, 1536, 1550, 1551, 4097, 151936}) {
        for (const int64_t in_features : {32, 96, 1024, 1568, 3360, 3392, 7392, 28672}) {
            if (out_features % 32 != 0 && out_features < 1550 && in_features > 3382) continue;
            for (const auto& [group, unit_bytes] : {std::pair{128, 2}, std::pair{16, 1}, std::pair{32, 4}}) {
                const FragmentLayout layout{out_features, in_features, group};
                const int64_t checkpoint =
                    out_features * in_features / 2 + out_features * divide_up(in_features, group) * unit_bytes;
                const int64_t packed = layout.codes_bytes() + layout.scale_count() * unit_bytes;
                EXPECT_LE(packed, checkpoint + checkpoint / 50 + (64 << 10)) << out_features << " x " << in_features;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    BitsAndBytes, Formats,
    testing::Values(FormatCase{"NF4", nf4_sizes(1, 1, 64, 0)}, FormatCase{"NF4", nf4_sizes(33, 7, 64, 256)},
                    FormatCase{"NF4", nf4_sizes(50, 96, 32, 5)}, FormatCase{"NF4", nf4_sizes(70, 171, 64, 256)},
                    FormatCase{"NF4", nf4_sizes(33, 320, 64, 0)}, FormatCase{"NF4", nf4_sizes(3, 4096, 4096, 0)},
                    FormatCase{"NF4", nf4_sizes(31, 200, 64, 0)}, FormatCase{"NF4", nf4_sizes(0, 64, 64, 256)},
                    FormatCase{"NF4", nf4_sizes(64, 0, 64, 0)}, FormatCase{"NF4", nf4_sizes(3, 21, 64, 0)},
                    FormatCase{"FP4", fp4_sizes(40, 160, 32, 256)},
                    FormatCase{"NF4", with_table(nf4_sizes(40, 64, 32, 256))}));
INSTANTIATE_TEST_SUITE_P(Gguf, Formats,
                         testing::Values(FormatCase{"Q4_0", q4_0_sizes(37, 96)}, FormatCase{"Q4_0", q4_0_sizes(0, 32)},
                                         FormatCase{"Q4_1", q4_1_sizes(33, 160)},
                                         FormatCase{"IQ4_NL", iq4_nl_sizes(5, 64)},
                                         FormatCase{"Q4_K", q4_k_sizes(35, 512)}));
INSTANTIATE_TEST_SUITE_P(
    Int4, Formats,
    testing::Values(FormatCase{"int4", int4_sizes(40, 100, 32)}, FormatCase{"int4", int4_sizes(33, 100, 100)},
                    FormatCase{"int4", int4_sizes(3, 5, 5, {.scale_dtype = LK_DTYPE_F32, .zero_points = true})},
                    FormatCase{"int4", int4_sizes(35, 416, 96, {.scale_dtype = LK_DTYPE_BF16})},
                    FormatCase{"int4 zero", int4_sizes(45, 160, 64, {.zero_points = true})},
                    FormatCase{"int4 zero", int4_sizes(32, 288, 128, {.zero_points = true})},
                    FormatCase{"int4 order", int4_sizes(34, 200, 64, {.group_index = true})},
                    FormatCase{"int4 order", int4_sizes(33, 100, 32, {.group_index = true})},
                    FormatCase{"int4 zero order",
                               int4_sizes(41, 256, 128,
                                          {.scale_dtype = LK_DTYPE_F32, .zero_points = true, .group_index = true})}));
INSTANTIATE_TEST_SUITE_P(
    Gptq, Formats,
    testing::Values(FormatCase{"GPTQ", gptq_sizes(LK_FORMAT_GPTQ, 40, 96, 32)},
                    FormatCase{"GPTQ", gptq_sizes(LK_FORMAT_GPTQ, 72, 200, 200, {.scale_dtype = LK_DTYPE_BF16})},
                    FormatCase{"GPTQ order", gptq_sizes(LK_FORMAT_GPTQ, 48, 200, 64, {.group_index = true})},
                    FormatCase{"GPTQ", gptq_sizes(LK_FORMAT_GPTQ, 0, 64, 32)},
                    FormatCase{"GPTQ v2", gptq_sizes(LK_FORMAT_GPTQ_V2, 8, 328, 128, {.scale_dtype = LK_DTYPE_F32})},
                    FormatCase{"GPTQ v2 order", gptq_sizes(LK_FORMAT_GPTQ_V2, 40, 256, 128, {.group_index = true})},
                    FormatCase{"AWQ", gptq_sizes(LK_FORMAT_AWQ, 40, 96, 32)},
                    FormatCase{"AWQ", gptq_sizes(LK_FORMAT_AWQ, 72, 333, 128)},
                    FormatCase{"AWQ", gptq_sizes(LK_FORMAT_AWQ, 8, 61, 61, {.scale_dtype = LK_DTYPE_BF16})}));
INSTANTIATE_TEST_SUITE_P(
    FloatZeros, Formats,
    testing::Values(FormatCase{"HQQ", hqq_sizes(34, 192, 64)}, FormatCase{"HQQ", hqq_sizes(33, 16, 8, LK_DTYPE_BF16)},
                    FormatCase{"HQQ", hqq_sizes(6, 171, 171, LK_DTYPE_F32)}, FormatCase{"HQQ", hqq_sizes(35, 96, 16)},
                    FormatCase{"HQQ", hqq_sizes(1, 128, 64, LK_DTYPE_F32)},
                    FormatCase{"ONNX", onnx_sizes(34, 100, 32, OnnxZeros::floats, {.scale_dtype = LK_DTYPE_F32})},
                    FormatCase{"ONNX", onnx_sizes(9, 256, 16, OnnxZeros::floats, {.group_index = true})}));
INSTANTIATE_TEST_SUITE_P(
    Onnx, Formats,
    testing::Values(FormatCase{"ONNX", onnx_sizes(34, 100, 32, OnnxZeros::none, {.scale_dtype = LK_DTYPE_F32})},
                    FormatCase{"ONNX", onnx_sizes(7, 90, 16, OnnxZeros::none)},
                    FormatCase{"ONNX", onnx_sizes(33, 300, 128, OnnxZeros::nibbles)},
                    FormatCase{"ONNX", onnx_sizes(45, 70, 16, OnnxZeros::nibbles, {.scale_dtype = LK_DTYPE_BF16})},
                    FormatCase{"ONNX order", onnx_sizes(34, 192, 64, OnnxZeros::nibbles, {.group_index = true})}));
INSTANTIATE_TEST_SUITE_P(E2m1, Formats,
                         testing::Values(FormatCase{"GGUF MXFP4", gguf_mxfp4_sizes(34, 160)},
                                         FormatCase{"GGUF NVFP4", gguf_nvfp4_sizes(35, 192)},
                                         FormatCase{"MXFP4", mxfp4_sizes(34, 160)},
                                         FormatCase{"NVFP4", nvfp4_sizes(34, 176, false)},
                                         FormatCase{"NVFP4", nvfp4_sizes(65, 144, true)}));

}  // namespace
}  // namespace lk::test
