// What packing and kernels need to know of a checkpoint format, as data and row-wise access. Every format reduces to
//
//   W[n, k] = value(code) * scale(n, group of k) - offset(n, group of k)
//
// with a few kinds of values, scales and offsets (Codec), or is raw (formats/raw.h). Adding a format is one source file
// and one line in format_list.cpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/nibbles.h"
#include "formats/raw.h"
#include "formats/storage.h"
#include "lorakernels.h"

namespace lk {

enum class ValueKind : uint8_t {
    affine,  // an integer: the code - Codec::affine_zero
    table,   // one of 16 fp32 values
    e2m1,    // 0 .5 1 1.5 2 3 4 6 and, with bit 3 of the code, their negatives: a table whose bits need no lookup
};

// How a group's scale is stored. Decoding gives fp32.
enum class ScaleKind : uint8_t {
    f16,
    bf16,
    f32,
    e8m0,     // u8 e: 2^(e - 127)
    e4m3,     // u8, fp8 times or over the tensor's one fp32 scale, rounded to fp32
    nested,   // u8 code: outer_table[code] * outer_scale + outer_offset, two fp32 operations
    k_quant,  // 16 bytes for 8 groups of 32: f16 d, f16 dmin, 12 bytes of 6-bit scales and minimums; d * scale
};

enum class OffsetKind : uint8_t {
    none,
    zero_point,  // 4 bits z a group: W = (code - (z + Codec::zero_bias)) * scale; values are the codes themselves
    float_zero,  // a number of the scale's type for each scale, in a tensor of its own: W = (code - zero) * scale
    minimum,     // f16 m, stored behind the group's f16 scale: W = value * scale + m
    k_quant,     // in the scale's 16 bytes: W = value * scale - dmin * minimum
};

// What a weight's format and tensors reduce to.
struct Codec {
    ValueKind value_kind = ValueKind::affine;
    ScaleKind scale_kind = ScaleKind::f16;
    OffsetKind offset_kind = OffsetKind::none;
    int32_t affine_zero = 0;
    int32_t zero_bias = 0;
    float values[16]{};  // of every kind
    int64_t group_size = 1;
    // Whether groups run across rows: then they are numbered by flat index, and row n's first weight lies inside group
    // n * in_features / group_size. Otherwise every row has ceil(in_features / group_size) groups of its own.
    bool groups_straddle_rows = false;
    float tensor_scale = 1;  // e4m3 only
    bool tensor_scale_divides = false;
    RawKind raw_kind = RawKind::none;  // of raw weights, which have nothing of the above but group_size

    constexpr bool is_raw() const { return raw_kind != RawKind::none; }
    // A unit is what is stored of scale and minimum or zero for some groups of a row: one group, or a k_quant's eight.
    constexpr int64_t groups_of_unit() const { return scale_kind == ScaleKind::k_quant ? 8 : 1; }
    constexpr int64_t unit_size() const { return group_size * groups_of_unit(); }
    // Units whose second half is in the checkpoint's tensor of zero points.
    constexpr bool has_zero_units() const { return offset_kind == OffsetKind::float_zero; }
    // Bytes of a unit that lie together in the checkpoint.
    constexpr int64_t unit_part_bytes() const {
        return scale_bytes() + (offset_kind == OffsetKind::minimum ? int64_t(sizeof(uint16_t)) : 0);
    }
    constexpr int64_t unit_bytes() const { return unit_part_bytes() * (has_zero_units() ? 2 : 1); }

  private:
    constexpr int64_t scale_bytes() const {
        switch (scale_kind) {
            case ScaleKind::f16:
            case ScaleKind::bf16:
                return 2;
            case ScaleKind::f32:
                return 4;
            case ScaleKind::k_quant:
                return 16;
            case ScaleKind::e8m0:
            case ScaleKind::e4m3:
            case ScaleKind::nested:
                break;
        }
        return 1;
    }
};

// The codec with the values of its affine_zero.
constexpr Codec affine(Codec codec) {
    codec.value_kind = ValueKind::affine;
    for (int code = 0; code < 16; ++code) codec.values[code] = static_cast<float>(code - codec.affine_zero);
    return codec;
}

// Bytes of a weight's tensors.
struct TensorSizes {
    int64_t codes = 0;
    int64_t scales = 0;
    int64_t zero_points = 0;
    int64_t group_index = 0;
    int64_t table = 0;
    int64_t outer_table = 0;
    int64_t outer_scales = 0;
};

struct Format {
    lk_format id;
    const char* name;

    // Which scalars the format has; the others must be 0.
    bool has_outer_scales = false;
    bool has_tensor_scale = false;
    bool has_scale_dtype = false;

    // Throws unless the scalars fit the shape, which is checked already.
    void (*check)(const lk_weight_tensors& tensors) = nullptr;
    // What the scalars imply; for an optional tensor that is empty 0.
    TensorSizes (*sizes)(const lk_weight_tensors& tensors) = nullptr;
    // Throws if the tensors hold what the format does not allow. NULL: anything is allowed.
    void (*check_contents)(const lk_weight_tensors& tensors) = nullptr;
    Codec (*codec)(const lk_weight_tensors& tensors) = nullptr;

    // Where codes, zero points and units lie; nowhere in raw weights.
    Storage (*storage)(const lk_weight_tensors& tensors) = nullptr;
};

// NULL for an unknown format.
const Format* find_format(int32_t id);

// "bitsandbytes NF4 (1), GGUF Q4_0 (2), …": all formats there are, for messages.
std::string format_names();

// Throws unless scalars and sizes are those of the format; the shape is checked already. Pointers are not looked at.
void check_description(const Format& format, const lk_weight_tensors& tensors);
// Throws if the tensors hold what the format does not allow.
void check_contents(const Format& format, const lk_weight_tensors& tensors);

// The codes of a row in the checkpoint's order of k, one a byte.
inline void read_codes(const Format& format, const lk_weight_tensors& t, int64_t row, uint8_t* codes) {
    read_nibbles(format.storage(t).codes, t.codes.data, row, t.in_features, codes);
}

// The nibbles of codes and zero points that belong to no weight, empty where all of them are 0, as usual; and their way
// back once all else is written.
std::vector<uint8_t> read_padding(const Format& format, const lk_weight_tensors& tensors);
void write_padding(const Format& format, const lk_weight_tensors& tensors, const std::vector<uint8_t>& padding);

// The buffers of lk_weight_tensors, for what is done with each of them.
struct TensorMember {
    // Named, because nvcc hands the host compiler a member that is declared in place with parentheses it warns of.
    using Bytes = lk_bytes lk_weight_tensors::*;
    using Size = int64_t TensorSizes::*;

    const char* name;
    Bytes bytes;
    Size size;
};
inline constexpr TensorMember kTensorMembers[] = {
    {"codes", &lk_weight_tensors::codes, &TensorSizes::codes},
    {"scales", &lk_weight_tensors::scales, &TensorSizes::scales},
    {"zero_points", &lk_weight_tensors::zero_points, &TensorSizes::zero_points},
    {"group_index", &lk_weight_tensors::group_index, &TensorSizes::group_index},
    {"table", &lk_weight_tensors::table, &TensorSizes::table},
    {"outer_table", &lk_weight_tensors::outer_table, &TensorSizes::outer_table},
    {"outer_scales", &lk_weight_tensors::outer_scales, &TensorSizes::outer_scales},
};

}  // namespace lk
