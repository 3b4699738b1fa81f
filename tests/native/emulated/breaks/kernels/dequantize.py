"""Bugs in the kernels that dequantize."""

from bugs import bugs_of

DEQUANTIZE = "dequantize/cuda/dequantize.cu"
DECODE = "packing/cuda/decode.cuh"
bug = bugs_of("dequantize", DEQUANTIZE, "*/Formats.DequantizeToTheCpusBits/*")

BUGS = [
    bug(
        "the table's values are read before they are there",
        DEQUANTIZE,
        "stage_values(table, weight); block_sync(); decode_runs<A, S>(weight, kForm",
        "stage_values(table, weight); decode_runs<A, S>(weight, kForm",
    ),
    bug(
        "the table's values are read before they are there, any layout",
        DEQUANTIZE,
        "stage_values(table, weight); block_sync(); with_arrangement",
        "stage_values(table, weight); with_arrangement",
    ),
    bug("the next k-block is loaded behind the last one", DEQUANTIZE, "if (block + 1 < end) {", "{"),
    bug(
        "a strip goes on behind the panel's end",
        DEQUANTIZE,
        "blocks - block < kStripBlocks ? blocks : block + kStripBlocks",
        "block + kStripBlocks",
    ),
    bug("a block is computed with the scales of the one before", DEQUANTIZE, "scales = next_scales;", ""),
    bug("elements behind the last k are stored", DEQUANTIZE, "if (k + j >= weight.layout.in_features) break;", ""),
    bug(
        "rows behind the last one are stored",
        DEQUANTIZE,
        "row < weight.layout.out_features && k < weight.layout.in_features",
        "k < weight.layout.in_features",
    ),
    bug(
        "the order of k is not the checkpoint's",
        DEQUANTIZE,
        "weight.order == nullptr ? k + j : uint32_t(weight.order[k + j])",
        "k + j",
    ),
    bug(
        "vectors are stored to rows that are not aligned",
        DEQUANTIZE,
        "reinterpret_cast<uintptr_t>(y.data) % 16 == 0 &&",
        "",
    ),
    bug(
        "two registers of a lane's words swapped",
        DECODE,
        "const int reg = j % 4 / 2 * 2 + i % 2;",
        "const int reg = j % 4 / 2 + i % 2 * 2;",
    ),
    bug(
        "the scale behind the last group is read",
        DECODE,
        "boundary < 8 && flat + boundary < layout.out_features * layout.in_features",
        "boundary < 8",
    ),
    bug(
        "scales behind a row's last group are read",
        DECODE,
        "if (unit >= weight.groups_per_row) unit = weight.groups_per_row - 1;",
        "",
    ),
    bug(
        "a record's short tail of units is read as a whole one",
        DECODE,
        "left < weight.groups_per_record ? left : weight.groups_per_record",
        "weight.groups_per_record",
    ),
    bug(
        "nested scales are rounded once",
        "packing/cuda/scale_values.cuh",
        "add_rn(mul_rn(inner, weight.outer_scales[outer]), weight.outer_offset)",
        "fma_rn(inner, weight.outer_scales[outer], weight.outer_offset)",
    ),
    bug(
        "E2M1's sign is that of the neighbouring code",
        DECODE,
        "bits << (31 - place.sign)",
        "bits << (31 - (place.sign ^ 1))",
    ),
]
