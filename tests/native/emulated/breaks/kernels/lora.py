"""Bugs in the kernels of LoRA: shrink, expand, both in one launch, and the matmuls' last step."""

from bugs import bugs_of

SHRINK = "lora/cuda/shrink.cuh"
EPILOGUE = "lora/cuda/epilogue.cuh"
EXPAND = "lora/cuda/expand.cuh"
ADAPTERS = "lora/cuda/adapters.cuh"
APPLY = "lora/cuda/apply.cu"
SHRINK_UNIT = "lora/cuda/shrink.cu"
EXPAND_UNIT = "lora/cuda/expand.cu"


def exact(name):
    return f"Lora/BackendLora.IsExactEnoughWithBothRoundings/{name}"


FEW = exact("FiveMixedRanks")
MANY = exact("ManyRowsOfOne")
BATCHES = "BackendLoraRules.ServesChangedBatchesInOneLaunch"

shrink = bugs_of("shrink", SHRINK_UNIT, FEW)
expand = bugs_of("expand", EXPAND_UNIT, FEW)
apply = bugs_of("apply", APPLY, FEW)

BUGS = [
    shrink(
        "no barrier between the warps' sums and their addition",
        SHRINK,
        "if (!by_tensor_cores) shrink_by_dot_products<T>(x, adapters, work, sums); block_sync();",
        "if (!by_tensor_cores) shrink_by_dot_products<T>(x, adapters, work, sums);",
    ),
    shrink(
        "elements behind the last k are multiplied",
        SHRINK,
        "if (k + i < end) elements[i] = row[k + i];",
        "elements[i] = row[k + i];",
        tests=exact("Unaligned"),
    ),
    shrink(
        "lanes' sums meet those of another rank",
        SHRINK,
        "shuffle_xor(upper ? own[0] : own[2], 16)",
        "shuffle_xor(upper ? own[0] : own[2], 8)",
    ),
    shrink(
        "one halving too few adds the lanes up",
        SHRINK,
        "for (uint32_t other = 4; other > 0; other /= 2)",
        "for (uint32_t other = 4; other > 1; other /= 2)",
    ),
    shrink("tensor cores multiply behind the piece's last k", SHRINK, "if (k < work.end_k) {", "{", tests=MANY),
    shrink(
        "two registers of the ranks' fragment swapped",
        SHRINK,
        "{factors[0].word(2 * step), factors[1].word(2 * step),",
        "{factors[1].word(2 * step), factors[0].word(2 * step),",
        tests=MANY,
    ),
    shrink(
        "two registers of the sums' fragment swapped",
        SHRINK,
        "[c * 8 + lane % 4 * 2 + i % 2][lane / 4 + i / 2 * 8]",
        "[c * 8 + lane % 4 * 2 + i / 2][lane / 4 + i % 2 * 8]",
        tests=MANY,
    ),
    shrink(
        "one warp's sums are left out",
        SHRINK,
        "for (int warp = 1; warp < kShrinkWarps; ++warp) sum",
        "for (int warp = 2; warp < kShrinkWarps; ++warp) sum",
        tests=MANY,
    ),
    shrink(
        "rows that x does not have are read",
        SHRINK,
        "while (work.count > 0 && plan.row_of_entry[work.entries[work.count - 1]] >= x.rows) --work.count;",
        "",
        tests="BackendGraph.RowsThatWereNotRecordedAreLeftAlone",
    ),
    shrink(
        "values of tiles that the adapter does not have are stored",
        SHRINK,
        "if (rank_of_tile >= place.ranks) continue;",
        "",
    ),
    shrink(
        "tensor cores take factors of another type",
        SHRINK,
        "fits && place.dtype == x.dtype &&",
        "fits &&",
        tests=exact("MixedDtypesOfFactors"),
    ),
    shrink(
        "lanes take the tile from one that has not looked it up",
        SHRINK,
        "place.ranks = shuffle(place.ranks, 0);",
        "place.ranks = shuffle(place.ranks, 1);",
    ),
    shrink("a tile begins at the first rank of the one before", SHRINK, "tile * kRankTile;", "tile / 2 * kRankTile;"),
    shrink(
        "a piece of k is left out",
        ADAPTERS,
        "for (int32_t piece = 1; piece < adapters.pieces; ++piece)",
        "for (int32_t piece = 2; piece < adapters.pieces; ++piece)",
        tests=exact("DeepInPieces"),
    ),
    expand(
        "the wait leaves one group of copies too many under way",
        EPILOGUE,
        "cp_async_wait<kStages - 2>();",
        "cp_async_wait<kStages - 1>();",
        tests=exact("SixtyFour"),
    ),
    expand(
        "no warp_sync between the wait for factors and their use by other lanes",
        EPILOGUE,
        "all lanes are done with those whose place the next ones take. warp_sync();",
        "",
    ),
    expand(
        "the next 16 ranks are staged over factors that other lanes still read",
        EPILOGUE,
        "add_unit<BFloat16>(unit, staging.stages[stage], values, totals); } } warp_sync();",
        "add_unit<BFloat16>(unit, staging.stages[stage], values, totals); } }",
    ),
    expand(
        "the stage in use is refilled",
        EPILOGUE,
        "stage_next((stage + kStages - 1) % kStages);",
        "stage_next(stage);",
        tests=exact("SixtyFour"),
    ),
    expand("ranks behind the adapter's last one are read", EPILOGUE, "first_rank + rank < unit.rank;", "true;"),
    expand(
        "values behind the adapter's last rank are read",
        EPILOGUE,
        "if (r < left) v[i] += values[r];",
        "v[i] += values[r];",
    ),
    expand(
        "a unit's products go to every token of the tile",
        EPILOGUE,
        "if (in_unit && unit.has_column(",
        "if (unit.has_column(",
    ),
    apply(
        "products go to columns of the next slice",
        EPILOGUE,
        "if (in_unit && unit.has_column(tile * 16 + int(lane / 4) + i / 2 * 8))",
        "if (in_unit)",
        tests="BackendLoraRules.SlicesThatAreNotFinite*",
    ),
    expand(
        "the low parts of values are left out",
        EPILOGUE,
        "mma_m16n8k16<B>(sums, a[tile], low, sums);",
        "",
        tests="BackendLoraRules.ValuesBetweenKeepTwice*",
    ),
    expand(
        "values are not brought to fp16's range",
        EPILOGUE,
        "if (!Exact) factor *= normalize(v, dtype);",
        "",
        tests="BackendLoraRules.LargeAndSmall*",
    ),
    expand("every token leads a unit", EPILOGUE, "(same & ((1u << lane_id()) - 1)) == 0 &&", "", tests=MANY),
    expand(
        "matrices' rows and columns swapped",
        EPILOGUE,
        "factors.values[lane % 8 + lane / 16 * 8][tile * 16 + lane / 8 % 2 * 8]",
        "factors.values[lane % 16][tile * 16 + lane / 16 * 8]",
    ),
    expand(
        "an entry's weight is left out",
        EPILOGUE,
        "own.factor = plan.weights[entry] * slice.scale;",
        "own.factor = slice.scale;",
        tests=exact("Stacked"),
    ),
    expand(
        "values of a slice that adapters lack are skipped all the same",
        EPILOGUE,
        "own.values += value_count(adapters, plan.descriptors[segment][s].rank);",
        "own.values += value_count(adapters, own.rank > 0 ? own.rank : 8);",
        tests=exact("Slices"),
    ),
    expand(
        "fp32 products read ranks behind the last one",
        EPILOGUE,
        "if (rank >= ranks) continue;",
        "",
        tests=exact("Rank320F32"),
    ),
    expand(
        "fp32 products take another lane's element of B",
        EPILOGUE,
        "shuffle(own, lane / 4 + 8)",
        "shuffle(own, lane / 4 + 4)",
        tests=exact("Rank320F32"),
    ),
    expand(
        "a tile is read before all lanes have stored their part",
        EXPAND,
        "widen(*place_of(token)) : 0.0f; } warp_sync();",
        "widen(*place_of(token)) : 0.0f; }",
    ),
    expand(
        "factors are staged over a tile that other lanes still read",
        EXPAND,
        "for_each_total([](float& total, const float& value) { total = value; }); warp_sync();",
        "for_each_total([](float& total, const float& value) { total = value; });",
    ),
    expand(
        "rows are stored before all lanes have stored their sums",
        EXPAND,
        "for_each_total([](const float& total, float& value) { value = total; }); warp_sync();",
        "for_each_total([](const float& total, float& value) { value = total; });",
    ),
    expand(
        "columns behind the last one are stored",
        EXPAND,
        "const bool has_column = first_column + lane < y.columns;",
        "const bool has_column = true;",
    ),
    expand(
        "rows without adapter are stored",
        EXPAND,
        "if (!has_column || (changed >> token & 1) == 0) continue;",
        "if (!has_column) continue;",
    ),
    expand(
        "adapters' values are read before the launch ahead has made them",
        "lora/cuda/expand.cu",
        "grid_dependency_wait();",
        "",
        tests=MANY,
    ),
    apply(
        "threads read the ticket before it is drawn",
        APPLY,
        "1u); block_sync(); const uint32_t own = ticket;",
        "1u); const uint32_t own = ticket;",
    ),
    apply(
        "an item counts as done before all threads have stored its values",
        APPLY,
        "shared.shrink); block_sync();",
        "shared.shrink);",
    ),
    apply(
        "the count of items does not release their values",
        APPLY,
        "atomic_add_acq_rel(&counters->shrunk, 1u)",
        "atomic_add(&counters->shrunk, 1u)",
    ),
    apply(
        "tiles do not wait for the items",
        APPLY,
        "if (threadIdx.x == 0) wait_until_equal(&counters->shrunk, shrinks);",
        "",
    ),
    apply(
        "only one thread of a block waits for the items",
        APPLY,
        "wait_until_equal(&counters->shrunk, shrinks); block_sync();",
        "wait_until_equal(&counters->shrunk, shrinks);",
    ),
    apply(
        "tickets are not set back for the next launch",
        APPLY,
        "atomic_exchange(&counters->tickets, 0u);",
        "",
        tests=BATCHES,
    ),
    apply(
        "the count of items is not set back for the next launch",
        APPLY,
        "atomic_exchange(&counters->shrunk, 0u);",
        "",
        tests=BATCHES,
    ),
    apply(
        "the last block but one sets the counters back",
        APPLY,
        "!= gridDim.x - 1) return;",
        "!= gridDim.x - 2) return;",
        tests=BATCHES,
    ),
]
