"""Bugs in the decode kernel."""

from bugs import bugs_of

DECODE = "matmul/cuda/decode.cuh"
EPILOGUE = "lora/cuda/epilogue.cuh"
INTERVAL = "matmul/cuda/interval.cuh"
SCALES = "matmul/cuda/scale_staging.cuh"
SUMS = "matmul/cuda/token_sums.cuh"
VALUES = "matmul/cuda/values.cuh"
AFFINE = "matmul/cuda/decode_affine.cu"
# Of the units that add adapters the one whose functions the linker takes.
APPLY = "lora/cuda/apply.cu"
TABLE = "matmul/cuda/decode_table.cu"
E2M1 = "matmul/cuda/decode_e2m1.cu"


def of(name):
    return f"All/DecodeFormats.MultiplyExactly/{name}"


ADAPTERS = "Decode.AddsAdapters"
bug = bugs_of("decode", TABLE, of("table_g64"))

BUGS = [
    bug("no wait for the tokens' copies", DECODE, "cp_async_wait<0>();", ""),
    bug(
        "no barrier between the table's entries and their use",
        DECODE,
        "shared_at<PairTable::kAddress>(shared)); block_sync();",
        "shared_at<PairTable::kAddress>(shared));",
    ),
    bug(
        "no warp_sync between a warp's scales and their use", DECODE, "} else { warp_sync(); }", "}", E2M1, of("MXFP4")
    ),
    bug(
        "no warp_sync between a warp's tokens and their sums",
        DECODE,
        "if constexpr (C != Correction::none) { warp_sync();",
        "if constexpr (C != Correction::none) {",
        AFFINE,
        of("int4_g128"),
    ),
    bug(
        "sums are stored over scales that other warps still read",
        DECODE,
        "// Table and scales are read no more. block_sync();",
        "",
    ),
    bug(
        "no barrier between the warps' sums and their addition",
        DECODE,
        "block_sync(); const int own_token = warp;",
        "const int own_token = warp;",
    ),
    bug(
        "sums are stored over factors that other warps still read",
        DECODE,
        "reinterpret_cast<UpdateStaging*>(shared), sums); } block_sync();",
        "reinterpret_cast<UpdateStaging*>(shared), sums); }",
        AFFINE,
        ADAPTERS,
    ),
    bug(
        "adapters' values are read before the launch ahead has made them",
        DECODE,
        "grid_dependency_wait();",
        "",
        AFFINE,
        "AdapterTraffic.*",
    ),
    bug(
        "the k-blocks behind the last record are left out",
        DECODE,
        "if (has_last_blocks) { add_last",
        "if (false) { add_last",
    ),
    bug(
        "records fall between two warps",
        DECODE,
        "records * (warp + 1) / warps",
        "records / warps * (warp + 1)",
    ),
    bug("a record more than the warp's is added", DECODE, "if (ahead > 0 && ahead >= left_) break;", ""),
    bug(
        "codes are loaded behind the last record",
        DECODE,
        "if (has_next) codes[block] = load_nc",
        "codes[block] = load_nc",
    ),
    bug(
        "two registers of the sums' fragment swapped",
        DECODE,
        "meeting[warp].values[lane % 4 * 2 + i % 2][16 * tile + lane / 4 + i / 2 * 8]",
        "meeting[warp].values[lane % 4 * 2 + i / 2][16 * tile + lane / 4 + i % 2 * 8]",
    ),
    bug(
        "one warp's sums are left out",
        DECODE,
        "for (int w = 0; w < warps; ++w) total",
        "for (int w = 1; w < warps; ++w) total",
    ),
    bug(
        "rows behind the last one are stored",
        DECODE,
        "own_token >= arguments.tokens.count || n >= layout.out_features",
        "own_token >= arguments.tokens.count",
    ),
    bug(
        "tokens behind the last one are stored",
        DECODE,
        "own_token >= arguments.tokens.count || n >= layout.out_features",
        "n >= layout.out_features",
    ),
    bug(
        "tokens that are not there are multiplied",
        DECODE,
        "const int token = lane / 4 < arguments.tokens.count ? lane / 4 : arguments.tokens.count - 1;",
        "const int token = lane / 4;",
    ),
    bug("a vector more than the warp's tokens is copied", DECODE, "i < vectors; i += 32", "i <= vectors; i += 32"),
    bug(
        "the pair of a code byte is the wrong way round",
        DECODE,
        "pack2<T>(values[entry & 15], values[entry >> 4])",
        "pack2<T>(values[entry >> 4], values[entry & 15])",
    ),
    bug(
        "two halves of a k-block's tokens swapped",
        INTERVAL,
        "step == 0 ? tokens.x : tokens.z",
        "step == 0 ? tokens.z : tokens.x",
    ),
    bug(
        "the second step reads the first one's codes",
        INTERVAL,
        "Values::fragment(step == 0 ? lower : upper, lane_offset, a);",
        "Values::fragment(lower, lane_offset, a);",
    ),
    bug(
        "rows g and g + 8 have each other's scale",
        INTERVAL,
        "fma_rn(row_scale[2 * tile + i / 2]",
        "fma_rn(row_scale[2 * tile + 1 - i / 2]",
    ),
    bug(
        "the offset is multiplied with the other token's sum",
        INTERVAL,
        "i % 2 == 0 ? token_sums.x : token_sums.y",
        "i % 2 == 0 ? token_sums.y : token_sums.x",
        AFFINE,
        of("int4_g64_bf16__zero_points"),
    ),
    bug(
        "a lane looks up another byte's pair",
        VALUES,
        "prmt(word, lane_offset, 0x7624)",
        "prmt(word, lane_offset, 0x7634)",
    ),
    bug(
        "rows in upper nibbles have the lower ones' zero",
        SUMS,
        "place[2] = sums[0] * (factor / Values::kUpperFactor);",
        "place[2] = sums[0] * (factor / Values::kLowerFactor);",
        AFFINE,
        of("int4_g128"),
    ),
    bug(
        "a lane of other rows writes the tokens' sums",
        SUMS,
        "if (lane_id() >= 4) return;",
        "if (lane_id() > 4) return;",
        AFFINE,
        of("int4_g128"),
    ),
    bug(
        "zero points come from another row's lane",
        SCALES,
        "shuffle(four, lane_id() & ~3u)",
        "shuffle(four, lane_id() & ~7u)",
        AFFINE,
        of("int4_g64_bf16__zero_points"),
    ),
    bug(
        "the last unit's scales are not decoded",
        SCALES,
        "(first + count - 1) / per_unit + 1;",
        "(first + count - 1) / per_unit;",
    ),
    bug(
        "a record's short tail of units is read as a whole one",
        SCALES,
        "const int together = left < together_ ? left : together_;",
        "const int together = together_;",
    ),
    bug(
        "NVFP4's last group is read twice as far",
        DECODE,
        "(group < groups ? group : groups - 1)",
        "group",
        E2M1,
        of("NVFP4"),
    ),
    bug(
        "lanes of a block's second group use the first one's scales",
        DECODE,
        "scales + int(lane_id()) % 4 / 2 * kFloat4s",
        "scales",
        E2M1,
        of("NVFP4"),
    ),
    bug(
        "a warp adds adapters that another one adds too",
        DECODE,
        "1u << (warp % kDecodeTokens)",
        "~0u",
        AFFINE,
        ADAPTERS,
    ),
    bug(
        "warps for which there is no place add adapters",
        DECODE,
        "if (warp < kDecodeAdapterWarps) {",
        "{",
        AFFINE,
        ADAPTERS,
    ),
    bug(
        "the last blocks' scales are counted from the panel's",
        DECODE,
        "add_last_blocks<Values, T, C, Depth>(arguments, panel, own_scales,",
        "add_last_blocks<Values, T, C, Depth>(arguments, panel, reinterpret_cast<const float4*>(scales) + lane / 4,",
    ),
    bug(
        "factors behind the adapter's last column are read",
        EPILOGUE,
        "const bool present = has_rank && unit.has_column(column);",
        "const bool present = has_rank;",
        APPLY,
        ADAPTERS,
    ),
    bug("only every other 16 ranks are added", DECODE, "warp / kDecodeTokens * kUpdateRanks,", "0,", AFFINE, ADAPTERS),
]
