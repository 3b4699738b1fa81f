"""Bugs in the matmul kernel without tensor cores."""

from bugs import bugs_of

PLAIN = "matmul/cuda/plain.cu"
DECODE = "packing/cuda/decode.cuh"


def of(name):
    return f"Formats/Plain.IsExactEnough/{name}"


SLICED = of("Q4_05")
ROWS = "PlainRows.HaveTheSameBitsInEverySchedule"
bug = bugs_of("plain", PLAIN, of("NF40"))

BUGS = [
    bug(
        "a k-block is staged over the one before while others multiply",
        PLAIN,
        "block_sync(); stage_weights<Weights>",
        "stage_weights<Weights>",
    ),
    bug(
        "a k-block is multiplied before all of it is staged",
        PLAIN,
        "block_sync(); multiply(*shared, sums);",
        "multiply(*shared, sums);",
    ),
    bug(
        "weights are read from where another k has them",
        PLAIN,
        "weights[k][lane / 4 ^ k / 8 * 2]",
        "weights[k][lane / 4 ^ k / 8]",
    ),
    bug("a lane's rows are the other way round", PLAIN, "fma_rn(w[i / 2], shared", "fma_rn(w[3 - i / 2], shared"),
    bug("tokens behind the last one are read", PLAIN, "if (token < tokens) {", "{"),
    bug(
        "elements behind the last k are read",
        PLAIN,
        "if (k + j < in_features) out[j] = widen",
        "out[j] = widen",
        tests=of("FP4straddling4"),
    ),
    bug(
        "the order of k is not the weight's",
        PLAIN,
        "order == nullptr ? k + j : order[k + j]",
        "k + j",
        tests=of("int4zeroorder8"),
    ),
    bug(
        "the last sums are not promoted",
        PLAIN,
        "!= kPromotedBlocks - 1 && block + 1 < end) continue;",
        "!= kPromotedBlocks - 1) continue;",
    ),
    bug(
        "sums are promoted and go on",
        PLAIN,
        "totals[c][i / 4][i % 4] += sums[c][i / 4][i % 4]; } clear<ColumnTiles>(sums);",
        "totals[c][i / 4][i % 4] += sums[c][i / 4][i % 4]; }",
        tests=SLICED,
    ),
    bug(
        "the last slice goes on as far as the others",
        PLAIN,
        "blocks - begin < arguments.slice_blocks ? blocks : begin + arguments.slice_blocks",
        "begin + arguments.slice_blocks",
        tests=SLICED,
    ),
    bug(
        "a block arrives before all of its threads have stored their sums",
        PLAIN,
        "block_sync(); if (threadIdx.x == 0) { shared.is_last = atomic_add_acq_rel",
        "if (threadIdx.x == 0) { shared.is_last = atomic_add_acq_rel",
        tests=SLICED,
    ),
    bug(
        "the arrival counter neither acquires nor releases",
        PLAIN,
        "atomic_add_acq_rel(arguments.arrivals + tile, 1)",
        "atomic_add(arguments.arrivals + tile, 1u)",
        tests=SLICED,
    ),
    bug(
        "the last block but one adds the slices up",
        PLAIN,
        "== arguments.slices - 1;",
        "== arguments.slices - 2;",
        tests=SLICED,
    ),
    bug(
        "the counter keeps its count for the next launch",
        PLAIN,
        "if (shared.is_last) atomic_exchange(arguments.arrivals + tile, 0u);",
        "",
        tests=SLICED,
    ),
    bug(
        "threads look whether the block is the last before it is known",
        PLAIN,
        "block_sync(); if (!shared.is_last) return false;",
        "if (!shared.is_last) return false;",
        tests=SLICED,
    ),
    bug(
        "a block's own slice comes first, whichever it is",
        PLAIN,
        "clear<ColumnTiles>(totals); for (uint32_t s = 0; s < arguments.slices; ++s) {",
        "for (uint32_t s = 0; s < arguments.slices; ++s) { if (s == slice) continue;",
        tests=ROWS,
    ),
    bug(
        "adapters' values are read before the launch ahead has made them",
        PLAIN,
        "grid_dependency_wait();",
        "",
        tests="Backend/BackendOperation.MatmulAndLinearAreExactEnough/Q4_0F32",
    ),
    bug("columns behind the last one are stored", PLAIN, "if (n >= y.columns) break;", ""),
    bug("tokens behind the last one are stored", PLAIN, "if (token >= y.rows) break;", ""),
    bug("panels that are not there are read", PLAIN, "if (panel < weight.layout.panels()) {", "{"),
    bug(
        "a group ends one weight late",
        DECODE,
        "k < runs[row].boundary ?",
        "k <= runs[row].boundary ?",
        tests=of("NF4straddling1"),
    ),
]
