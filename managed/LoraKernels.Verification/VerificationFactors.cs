namespace LoraKernels.Verification;

/// <summary>
/// What sets cases apart, each with all of its values, and which of them may meet. A factor that an op does not have has
/// a value that says so: 0, null or <see cref="None"/>.
/// </summary>
internal static class VerificationFactors
{
    /// <summary>No rows, no slices: the op has none.</summary>
    public const int None = -1;

    /// <summary>A group size: one group for each row.</summary>
    public const int WholeRow = int.MaxValue;

    // The most that two sizes may be together: an awkward one stands beside small ones. Emulated kernels take long.
    private const long MostWeights = 3424 * 40;
    private const long MostInputs = 3424 * 20;
    private const long MostOutputs = 3424 * 20;
    private const long MostFactors = 512 * 160;

    public static VerificationOp[] Ops { get; } = Enum.GetValues<VerificationOp>();

    public static DType[] DTypes { get; } = [DType.Float32, DType.Float16, DType.BFloat16];

    public static VerificationFormat[] Formats { get; } =
        [.. Enum.GetValues<VerificationFormat>().Where(format => format.IsInTable())];

    /// <summary>
    /// K. 3420: NF4's groups of 64 straddle rows; 3424: the same with a multiple of 32; 7392: no multiple of 64.
    /// Multiples of 16, 32 and 256 are for the formats that need them.
    /// </summary>
    public static int[] InFeatures { get; } =
        [0, 1, 7, 8, 31, 32, 33, 63, 64, 96, 100, 112, 129, 256, 320, 512, 1000, 1056, 1088, 2304, 3420, 3424, 7392];

    /// <summary>N. 2880 and 3424: no multiple of a block's 128.</summary>
    public static int[] OutFeatures { get; } = [0, 1, 3, 15, 16, 17, 31, 32, 33, 100, 257, 320, 2880, 3424];

    /// <summary>M. Tiles of tokens end at 8, 32, 64 and 128.</summary>
    public static int[] Rows { get; } = [None, 0, 1, 2, 3, 5, 8, 9, 17, 33, 64, 65, 130, 300];

    public static int[] GroupSizes { get; } = [0, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, WholeRow];

    public static DType?[] ScaleDTypes { get; } = [null, .. DTypes];

    public static int[] OuterGroupSizes { get; } = [0, 256, 1, 3, 64];

    public static bool[] CustomMap { get; } = [false, true];

    public static DType?[] BiasDTypes { get; } = [null, .. DTypes];

    /// <summary>Of the adapters: none, one, several, as many as 64.</summary>
    public static int[]?[] Ranks { get; } =
    [
        null, [], [1], [3], [8], [16], [48], [64], [320], [512], [3, 8, 9], [64, 8, 3, 0, 9], [1, 512],
        [.. Enumerable.Repeat(8, 64)], [.. Enumerable.Range(1, 64)],
    ];

    public static LoraAssignment?[] Assignments { get; } =
        [null, .. Enum.GetValues<LoraAssignment>().Select(assignment => (LoraAssignment?)assignment)];

    /// <summary>0: all columns; then as <see cref="VerificationTable"/> divides them.</summary>
    public static int[] SliceKinds { get; } = [None, 0, 1, 2, 3];

    public static bool[] Strided { get; } = [false, true];

    /// <summary>The values of each factor, in the order of <see cref="Factor"/>.</summary>
    public static int[] Sizes { get; } =
    [
        Ops.Length, DTypes.Length, Formats.Length, InFeatures.Length, OutFeatures.Length, Rows.Length, GroupSizes.Length,
        ScaleDTypes.Length, OuterGroupSizes.Length, CustomMap.Length, BiasDTypes.Length, Ranks.Length,
        Assignments.Length, SliceKinds.Length, Strided.Length,
    ];

    /// <summary>Whether two values of two factors, the earlier one's first, may stand in one case.</summary>
    public static bool MayMeet(int first, int i, int second, int j) => ((Factor)first, (Factor)second) switch
    {
        (Factor.Op, Factor.DType) => Ops[i] != VerificationOp.Pack || DTypes[j] == DType.Float32,
        (Factor.Op, Factor.Format) => HasWeight(Ops[i]) == (Formats[j] != VerificationFormat.None)
            && (Ops[i] != VerificationOp.Quantize || Formats[j].CanBeWritten()),
        (Factor.Op, Factor.InFeatures) => !HasAdapters(Ops[i]) || InFeatures[j] > 0,
        (Factor.Op, Factor.OutFeatures) => !HasAdapters(Ops[i]) || OutFeatures[j] > 0,
        (Factor.Op, Factor.Rows) => HasRows(Ops[i]) == (Rows[j] != None),
        (Factor.Op, Factor.OuterGroupSize) => Ops[i] != VerificationOp.Quantize || OuterGroupSizes[j] is 0 or 256,
        (Factor.Op, Factor.CustomMap) => Ops[i] != VerificationOp.Quantize || !CustomMap[j],
        (Factor.Op, Factor.BiasDType) => HasBias(Ops[i]) == (BiasDTypes[j] is not null),
        (Factor.Op, Factor.Ranks) => HasAdapters(Ops[i]) == (Ranks[j] is not null),
        (Factor.Op, Factor.Assignment) => HasAdapters(Ops[i]) == (Assignments[j] is not null),
        (Factor.Op, Factor.Slices) => HasAdapters(Ops[i]) == (SliceKinds[j] != None),

        (Factor.Format, Factor.InFeatures) => Formats[i].FitInFeatures(InFeatures[j]) == InFeatures[j],
        (Factor.Format, Factor.OutFeatures) => Formats[i].FitOutFeatures(OutFeatures[j]) == OutFeatures[j],
        (Factor.Format, Factor.GroupSize) => Formats[i].HasGroupSize() == (GroupSizes[j] != 0)
            && (GroupSizes[j] == WholeRow
                ? Formats[i].CanHaveRowGroups()
                : GroupSizes[j] == 0
                    || (GroupSizes[j] >= Formats[i].SmallestGroupSize() && Formats[i].FitGroupSize(GroupSizes[j]) == GroupSizes[j])),
        (Factor.Format, Factor.ScaleDType) => Formats[i].HasScaleDType() == (ScaleDTypes[j] is not null),
        (Factor.Format, Factor.OuterGroupSize) => Formats[i].IsNested() == (OuterGroupSizes[j] != 0),
        (Factor.Format, Factor.CustomMap) => Formats[i].HasTable() || !CustomMap[j],

        (Factor.InFeatures, Factor.OutFeatures) => (long)InFeatures[i] * OutFeatures[j] <= MostWeights,
        (Factor.InFeatures, Factor.Rows) => (long)InFeatures[i] * Rows[j] <= MostInputs,
        (Factor.OutFeatures, Factor.Rows) => (long)OutFeatures[i] * Rows[j] <= MostOutputs,
        // A row that is as long as a group has one group anyway.
        (Factor.InFeatures, Factor.GroupSize) => GroupSizes[j] != WholeRow || !GroupSizes.Contains(InFeatures[i]),
        (Factor.InFeatures, Factor.Ranks) => (long)InFeatures[i] * LargestRank(j) <= MostFactors,
        (Factor.OutFeatures, Factor.Ranks) => (long)OutFeatures[i] * LargestRank(j) <= MostFactors,
        (Factor.OutFeatures, Factor.Slices) => SliceKinds[j] <= 0 || OutFeatures[i] >= 15,
        _ => true,
    };

    private static bool HasWeight(VerificationOp op) =>
        op is not (VerificationOp.LoraShrink or VerificationOp.LoraExpand or VerificationOp.LoraApply);

    private static bool HasRows(VerificationOp op) =>
        op is not (VerificationOp.Pack or VerificationOp.Dequantize or VerificationOp.Quantize);

    private static bool HasBias(VerificationOp op) => op is VerificationOp.MatmulBias or VerificationOp.Linear;

    private static bool HasAdapters(VerificationOp op) => !HasWeight(op) || op == VerificationOp.Linear;

    private static int LargestRank(int j) => Ranks[j] is { Length: > 0 } ranks ? ranks.Max() : 0;
}

/// <summary>The factors of <see cref="VerificationFactors"/>, in their order.</summary>
internal enum Factor
{
    Op,
    DType,
    Format,
    InFeatures,
    OutFeatures,
    Rows,
    GroupSize,
    ScaleDType,
    OuterGroupSize,
    CustomMap,
    BiasDType,
    Ranks,
    Assignment,
    Slices,
    Strided,
}
