// What packing and kernels need to know of a checkpoint format, as data and row-wise access. Every format reduces to
// W[n, k] = values[code] * scale: values are 16 numbers (a table, or an affine format's integers), scales have one
// level or two. Adding a format is one source file and one line in format_list.cpp.
#pragma once

#include <cstdint>

#include "lorakernels.h"

namespace lk {

// How a group's scale is stored. Decoding gives fp32.
enum class ScaleKind : uint8_t {
    f16,     // one level
    f32,     // one level
    nested,  // u8 code: outer_table[code] * outer_scale + outer_offset, two fp32 operations
};

constexpr int64_t size_of(ScaleKind kind) {
    return kind == ScaleKind::nested ? 1 : kind == ScaleKind::f16 ? 2 : 4;
}

struct Format {
    lk_format id;
    const char* name;

    // Throws unless group sizes and buffer sizes fit the shape, which is checked already. Pointers are not looked at.
    void (*check)(const lk_weight_tensors& tensors);
    // Sets the sizes that the shape and the group sizes imply; `table` keeps its size.
    void (*set_sizes)(lk_weight_tensors& tensors);
    ScaleKind (*scale_kind)(const lk_weight_tensors& tensors);
    // Copies the fp32 values of the 16 codes.
    void (*values)(const lk_weight_tensors& tensors, float out[16]);

    // The codes of a row, one a byte.
    void (*read_codes)(const lk_weight_tensors& tensors, int64_t row, uint8_t* codes);
    // Rows may be written in any order, but not two rows that share a byte at the same time.
    void (*write_codes)(const lk_weight_tensors& tensors, int64_t row, const uint8_t* codes);
    // Where the scale of a group lies in the checkpoint, groups numbered by flat index.
    void* (*scale_at)(const lk_weight_tensors& tensors, int64_t group);
};

// NULL for an unknown format.
const Format* find_format(int32_t id);

}  // namespace lk
