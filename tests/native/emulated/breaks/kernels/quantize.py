"""Bugs in the kernels that quantize."""

from bugs import bugs_of

RUNS = "quantize/cuda/runs.cuh"
QUANTIZE = "quantize/cuda/bitsandbytes.cu"
SCALES = "quantize/cuda/scales.cu"
NESTED = "Backend/BackendOperation.QuantizeGivesTheSameBits/NestedF16:BackendQuantize.*"
bug = bugs_of("quantize", QUANTIZE, "Shapes/Quantize.*")
nested = bugs_of("quantize", SCALES, NESTED)

BUGS = [
    bug(
        "thresholds are looked up before they are there",
        QUANTIZE,
        "stage_thresholds<Levels>(table); block_sync();",
        "stage_thresholds<Levels>(table);",
    ),
    bug("elements behind the last one are read", QUANTIZE, "if (index < weights) out[i] =", "out[i] ="),
    bug("vectors behind the last one are read", RUNS, "if (exist) { const auto*", "{ const auto*"),
    bug(
        "absmax is taken over several groups", QUANTIZE, "if (bits < lanes && other > largest)", "if (other > largest)"
    ),
    bug("codes behind the last one are stored", QUANTIZE, "if (first + kRun <= weights) {", "{"),
    bug(
        "a wide group's absmax leaves its first part out",
        QUANTIZE,
        "largest = own > largest ? own : largest; }",
        "largest = own; }",
    ),
    bug("rows are taken for one block of memory", RUNS, "(w.row_stride == w.columns || w.rows == 1) &&", ""),
    bug("the first of two codes goes to the low nibble", QUANTIZE, "(i % 2 == 0 ? 4 : 0)", "(i % 2 == 0 ? 0 : 4)"),
    nested(
        "sums are added up before all are there",
        SCALES,
        "sums.lanes[lane] = sum; block_sync();",
        "sums.lanes[lane] = sum;",
    ),
    nested(
        "no barrier between the halvings of the mean's sum",
        SCALES,
        "sums.lanes[lane] += sums.lanes[lane + half]; block_sync();",
        "sums.lanes[lane] += sums.lanes[lane + half];",
    ),
    nested(
        "the largest is looked for before all are there",
        SCALES,
        "largest.lanes[lane] = own; block_sync();",
        "largest.lanes[lane] = own;",
    ),
    nested(
        "no barrier between the halvings of the largest",
        SCALES,
        "largest.lanes[lane] = largest.lanes[lane + half]; } block_sync();",
        "largest.lanes[lane] = largest.lanes[lane + half]; }",
    ),
    nested(
        "the last outer group is taken for a whole one",
        SCALES,
        "groups - first < outer_group_size ? groups - first : outer_group_size",
        "outer_group_size",
    ),
]
