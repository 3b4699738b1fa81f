// What a format does not have is refused, and the place is named.
#include <cmath>
#include <limits>

#include "support/abi.h"

namespace lk::test {
namespace {

class BadWeight : public testing::Test {
  protected:
    // Packing must fail after `change` with this text in its message.
    template <class Change>
    void expect(const lk_weight_tensors& sizes, const char* text, Change change) {
        Tensors tensors(sizes);
        fill(tensors, 3);
        change(tensors);
        Weight weight;
        LK_EXPECT_ERROR(LK_INVALID_ARGUMENT, text, lk_weight_pack(context, &tensors.view, weight.out()));
    }
    // The same for a description that is wrong as it is.
    void expect(const lk_weight_tensors& sizes, const char* text) {
        expect(sizes, text, [](Tensors&) {});
    }

    static void set_group(Tensors& tensors, size_t k, int32_t group) {
        std::memcpy(&tensors.bytes(&lk_weight_tensors::group_index)[k * 4], &group, 4);
    }

    Context context = make_context();
};

TEST_F(BadWeight, UnknownFormatNamesThoseThereAre) {
    Tensors tensors(q4_0_sizes(4, 32));
    const int32_t unknown = 77;
    std::memcpy(&tensors.view.format, &unknown, sizeof unknown);
    Weight weight;
    LK_EXPECT_ERROR(LK_UNSUPPORTED, "bitsandbytes NF4 (1)", lk_weight_pack(context, &tensors.view, weight.out()));
    LK_EXPECT_ERROR(LK_UNSUPPORTED, "NVFP4 (9)", lk_weight_pack(context, &tensors.view, weight.out()));
}

TEST_F(BadWeight, Shape) {
    expect(shape_of(LK_FORMAT_GGUF_Q4_1, 4, 48, 32), "tensors.in_features: is 48; GGUF Q4_1 has multiples of 32");
    expect(shape_of(LK_FORMAT_GGUF_Q4_K, 4, 128, 32), "tensors.in_features: is 128; GGUF Q4_K has multiples of 256");
    expect(shape_of(LK_FORMAT_GGUF_Q4_K, 4, 256, 256), "tensors.group_size: is 256; GGUF Q4_K has 32");
    expect(shape_of(LK_FORMAT_NVFP4, 4, 64, 32), "tensors.group_size: is 32; NVFP4 has 16");
    expect(shape_of(LK_FORMAT_MXFP4, 4, 48, 32), "tensors.in_features: is 48; MXFP4 has multiples of 32");
    expect(int4_sizes(4, 64, 48), "tensors.group_size: is 48; allowed are multiples of 32, and in_features (64)");
    expect(shape_of(LK_FORMAT_INT4_PACKED, 4, 0, 0), "tensors.group_size: is 0");
}

TEST_F(BadWeight, SizesOfOptionalTensors) {
    const auto resize = [](lk_bytes lk_weight_tensors::*buffer, int64_t size) {
        return [=](Tensors& tensors) { (tensors.view.*buffer).size = size; };
    };
    const lk_weight_tensors int4 = int4_sizes(9, 64, 32, {LK_DTYPE_F16, true, true});
    expect(int4, "tensors.zero_points.size: is 8 bytes, the shape needs 16",
           resize(&lk_weight_tensors::zero_points, 8));
    expect(int4, "tensors.group_index.size: is 252 bytes, the shape needs 256",
           resize(&lk_weight_tensors::group_index, 252));
    expect(mxfp4_sizes(4, 64), "tensors.scales.size: is 9 bytes, the shape needs 8",
           resize(&lk_weight_tensors::scales, 9));
    expect(nf4_sizes(4, 64, 64, 0), "tensors.outer_table.size: is 4 bytes; bitsandbytes NF4 has none here",
           [](Tensors& tensors) { tensors.view.outer_table = tensors.view.scales, tensors.view.outer_table.size = 4; });
}

TEST_F(BadWeight, ScalarsThatTheFormatDoesNotHave) {
    expect(mxfp4_sizes(4, 64), "tensors.tensor_scale, tensor_scale_divides: MXFP4 has none",
           [](Tensors& tensors) { tensors.view.tensor_scale = 1; });
    expect(nvfp4_sizes(4, 64, true), "tensors.outer_group_size, outer_offset: NVFP4 has none",
           [](Tensors& tensors) { tensors.view.outer_offset = 1; });
    expect(q4_0_sizes(4, 64), "tensors.scale_dtype: GGUF Q4_0 has none",
           [](Tensors& tensors) { tensors.view.scale_dtype = LK_DTYPE_BF16; });
    expect(int4_sizes(4, 64, 32), "tensors.scale_dtype: is 9", [](Tensors& tensors) {
        const int32_t unknown = 9;
        std::memcpy(&tensors.view.scale_dtype, &unknown, sizeof unknown);
    });
}

TEST_F(BadWeight, TensorScale) {
    for (const float scale : {0.0f, -1.0f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
        expect(nvfp4_sizes(4, 64, true), "tensors.tensor_scale: is",
               [=](Tensors& tensors) { tensors.view.tensor_scale = scale; });
    }
    expect(nvfp4_sizes(4, 64, true), "tensors.tensor_scale_divides: is 2",
           [](Tensors& tensors) { tensors.view.tensor_scale_divides = 2; });
}

TEST_F(BadWeight, ScalesThatAreNoScales) {
    const auto scale = [](size_t i, unsigned char byte) {
        return [=](Tensors& tensors) { tensors.bytes(&lk_weight_tensors::scales)[i] = byte; };
    };
    expect(mxfp4_sizes(4, 96), "tensors.scales[2, 1]: is 0xff", scale(7, 0xff));
    expect(nvfp4_sizes(4, 64, true), "tensors.scales[1, 3]: is 0x7f", scale(7, 0x7f));
    expect(nvfp4_sizes(4, 64, false), "tensors.scales[0, 0]: is 0x80", scale(0, 0x80));
}

TEST_F(BadWeight, GroupIndex) {
    const lk_weight_tensors sizes = int4_sizes(4, 80, 32, {LK_DTYPE_F16, false, true});
    expect(sizes, "tensors.group_index[5]: is 3; allowed are 0 ... 2", [](Tensors& t) { set_group(t, 5, 3); });
    expect(sizes, "tensors.group_index[79]: is -1", [](Tensors& t) { set_group(t, 79, -1); });
    expect(sizes, "tensors.group_index: group 0 has 33 members, its size is 32", [](Tensors& t) {
        for (size_t k = 0; k < 80; ++k) set_group(t, k, k < 33 ? 0 : k < 64 ? 1 : 2);
    });
}

}  // namespace
}  // namespace lk::test
