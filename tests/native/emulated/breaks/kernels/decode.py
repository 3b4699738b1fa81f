"""Bugs in the decode kernel."""

from bugs import bugs_of

DECODE = "matmul/cuda/decode.cuh"
AFFINE = "matmul/cuda/decode_affine.cu"
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
        "reinterpret_cast<UpdateStaging*>(shared), sums); block_sync();",
        "reinterpret_cast<UpdateStaging*>(shared), sums);",
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
        "if (has_last_blocks) { const int blocks",
        "if (false) { const int blocks",
    ),
]
