"""Bugs in the kernels that pack and unpack weights, and in the one that copies x."""

from bugs import bugs_of

PACK = "packing/cuda/pack.cu"
STAGE_X = "matmul/cuda/stage_x.cu"
ROUND_TRIP = "*/Formats.*"
bug = bugs_of("packing", PACK, ROUND_TRIP)
copy = bugs_of("stage_x", STAGE_X, "StageX.*")

BUGS = [
    bug("blocks do each other's work again", PACK, "int64_t(gridDim.x) * kThreads;", "kThreads;"),
    bug("codes behind the last k are read", PACK, "if (k >= layout.in_features) continue;", ""),
    bug(
        "codes of rows that are not there are read",
        PACK,
        "if (row >= layout.out_features) continue; const uint32_t code",
        "const uint32_t code",
    ),
    bug(
        "neighbouring codes swapped",
        PACK,
        "FragmentLayout::place_in_panel(8 * quarter, j).slot",
        "FragmentLayout::place_in_panel(8 * quarter, j ^ 1).slot",
    ),
    bug(
        "codes go to the word of the other half of k",
        PACK,
        "words[quarter / 2 * 2 + j / 4] |=",
        "words[quarter / 2 * 2 + 1 - j / 4] |=",
    ),
    bug("the order of k is not the weight's", PACK, "packed.order == nullptr ? k : packed.order[k]", "k"),
    bug("units of rows that are not there are read", PACK, "if (!present) {", "if (false) {"),
    bug(
        "zero points of the neighbouring row",
        PACK,
        "row, group) << (4 * quarter)",
        "row ^ 1, group) << (4 * quarter)",
    ),
    bug(
        "zero points of rows that are not there are read",
        PACK,
        "if (row >= layout.out_features) continue; zeros |=",
        "zeros |=",
    ),
    bug("nibbles are written in the other order", PACK, "<< (4 * high)", "<< (4 - 4 * high)"),
    bug(
        "weights that are not there are unpacked",
        PACK,
        "if (index.row >= rows || index.column >= columns) continue;",
        "",
    ),
    bug("a code's position in the packed order is not looked up", PACK, "position == nullptr ? k : position[k]", "k"),
    bug("zero points are unpacked from a lane's first row", PACK, ">> (index % kLaneRows * 4) & 15", "& 15"),
    copy("elements behind the last k are read", STAGE_X, "if (k >= x.columns) continue;", ""),
    copy("the order of k is not the weight's", STAGE_X, "from[order == nullptr ? k : order[k]]", "from[k]"),
    copy(
        "the second element of a word takes the place of the first",
        STAGE_X,
        "element << (e * int(sizeof(E)) % 4 * 8)",
        "element",
    ),
    copy("one vector too many is copied", STAGE_X, "i < vectors; i +=", "i <= vectors; i +="),
]
