// What formats reduce to, with scales and values that make products exact.
#pragma once

#include <algorithm>
#include <cctype>
#include <ostream>
#include <string>
#include <vector>

#include "formats/format.h"

namespace lk::cuda::testing {

struct SampleFormat {
    const char* name;
    Codec codec;
    int64_t outer_group_size = 0;

    // K must be a multiple of it.
    int64_t depth_unit() const { return codec.scale_kind == ScaleKind::k_quant ? 256 : 1; }
};

inline void PrintTo(const SampleFormat& format, std::ostream* out) {
    *out << format.name;
}

// As a test's name has it.
inline std::string identifier(const SampleFormat& format) {
    std::string text = format.name;
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return text;
}

inline SampleFormat affine_format(const char* name, ScaleKind scales, int64_t group_size, OffsetKind offsets,
                                  int zero) {
    Codec codec;
    codec.scale_kind = scales;
    codec.offset_kind = offsets;
    codec.group_size = group_size;
    if (offsets == OffsetKind::zero_point) {
        codec.zero_bias = zero;
    } else {
        codec.affine_zero = zero;
    }
    return {name, affine(codec)};
}

inline SampleFormat table_format(const char* name, ScaleKind scales, int64_t group_size) {
    constexpr float values[16] = {-8, -6.5, -5, -4, -3, -2, -1.5, -1, 0, .5, 1, 2, 3.5, 4, 5.5, 7};
    Codec codec;
    codec.value_kind = ValueKind::table;
    codec.scale_kind = scales;
    codec.group_size = group_size;
    std::copy(values, values + 16, codec.values);
    return {name, codec, scales == ScaleKind::nested ? 256 : 0};
}

inline SampleFormat e2m1_format(const char* name, ScaleKind scales, int64_t group_size, float tensor_scale = 1,
                                bool divides = false) {
    constexpr float values[16] = {0, .5, 1, 1.5, 2, 3, 4, 6, 0, -.5, -1, -1.5, -2, -3, -4, -6};
    Codec codec;
    codec.value_kind = ValueKind::e2m1;
    codec.scale_kind = scales;
    codec.group_size = group_size;
    codec.tensor_scale = tensor_scale;
    codec.tensor_scale_divides = divides;
    std::copy(values, values + 16, codec.values);
    return {name, codec};
}

// Every kind of value, scale and offset, and every depth of a kernel's intervals.
inline std::vector<SampleFormat> sample_formats() {
    return {
        affine_format("int4 g128", ScaleKind::f16, 128, OffsetKind::none, 8),
        affine_format("int4 g64 bf16", ScaleKind::bf16, 64, OffsetKind::none, 8),
        affine_format("int4 g32 f32", ScaleKind::f32, 32, OffsetKind::none, 8),
        affine_format("int4 g256", ScaleKind::f16, 256, OffsetKind::none, 8),
        affine_format("int4 g96", ScaleKind::f16, 96, OffsetKind::none, 8),
        affine_format("int4 g64 bf16, zero points", ScaleKind::bf16, 64, OffsetKind::zero_point, 1),
        affine_format("int4 g128, zero points", ScaleKind::f16, 128, OffsetKind::zero_point, 0),
        affine_format("int4 g32, zero points", ScaleKind::f16, 32, OffsetKind::zero_point, 0),
        affine_format("Q4_1", ScaleKind::f16, 32, OffsetKind::minimum, 0),
        affine_format("Q4_K", ScaleKind::k_quant, 32, OffsetKind::k_quant, 0),
        table_format("table g64", ScaleKind::f32, 64),
        table_format("table g64 nested", ScaleKind::nested, 64),
        table_format("IQ4_NL", ScaleKind::f16, 32),
        table_format("table g4096", ScaleKind::f32, 4096),
        e2m1_format("MXFP4", ScaleKind::e8m0, 32),
        e2m1_format("NVFP4", ScaleKind::e4m3, 16, .5f),
        e2m1_format("NVFP4 divided", ScaleKind::e4m3, 16, 4, true),
    };
}

}  // namespace lk::cuda::testing
