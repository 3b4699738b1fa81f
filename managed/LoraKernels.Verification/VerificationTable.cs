namespace LoraKernels.Verification;

/// <summary>
/// The cases of <see cref="VerificationSuite.Cases"/>: every op in every type and format, and between them every two
/// values of two <see cref="VerificationFactors"/> that may meet.
/// </summary>
internal static class VerificationTable
{
    private const int Seed = 7;

    public static IReadOnlyList<VerificationCase> Create()
    {
        List<int[]> rows = new PairwiseCover(VerificationFactors.Sizes, VerificationFactors.MayMeet, Seed).Create(Kernels());
        return [.. rows.Select(Case).OrderBy(@case => @case.Op).ThenBy(@case => @case.Format).ThenBy(@case => @case.DType)];
    }

    private static IEnumerable<int[]> Kernels() =>
        from op in Enumerable.Range(0, VerificationFactors.Ops.Length)
        from dtype in Enumerable.Range(0, VerificationFactors.DTypes.Length)
        from format in Enumerable.Range(0, VerificationFactors.Formats.Length)
        where VerificationFactors.MayMeet((int)Factor.Op, op, (int)Factor.DType, dtype)
            && VerificationFactors.MayMeet((int)Factor.Op, op, (int)Factor.Format, format)
        select (int[])[op, dtype, format];

    private static VerificationCase Case(int[] row, int index)
    {
        int inFeatures = VerificationFactors.InFeatures[row[(int)Factor.InFeatures]];
        int outFeatures = VerificationFactors.OutFeatures[row[(int)Factor.OutFeatures]];
        int groupSize = VerificationFactors.GroupSizes[row[(int)Factor.GroupSize]];
        int[]? ranks = VerificationFactors.Ranks[row[(int)Factor.Ranks]];
        var @case = new VerificationCase
        {
            Op = VerificationFactors.Ops[row[(int)Factor.Op]],
            DType = VerificationFactors.DTypes[row[(int)Factor.DType]],
            Format = VerificationFactors.Formats[row[(int)Factor.Format]],
            Rows = Math.Max(0, VerificationFactors.Rows[row[(int)Factor.Rows]]),
            InFeatures = inFeatures,
            OutFeatures = outFeatures,
            CustomMap = VerificationFactors.CustomMap[row[(int)Factor.CustomMap]],
            Strided = VerificationFactors.Strided[row[(int)Factor.Strided]],
            Seed = index + 1,
        };
        if (groupSize != 0)
            @case = @case with { GroupSize = groupSize == VerificationFactors.WholeRow ? inFeatures : groupSize };
        if (VerificationFactors.OuterGroupSizes[row[(int)Factor.OuterGroupSize]] is not 0 and int outerGroupSize)
            @case = @case with { OuterGroupSize = outerGroupSize };
        if (VerificationFactors.ScaleDTypes[row[(int)Factor.ScaleDType]] is DType scaleDType)
            @case = @case with { ScaleDType = scaleDType };
        if (VerificationFactors.BiasDTypes[row[(int)Factor.BiasDType]] is DType biasDType)
            @case = @case with { BiasDType = biasDType };
        if (ranks is not null)
        {
            LoraAssignment assignment = VerificationFactors.Assignments[row[(int)Factor.Assignment]]!.Value;
            @case = @case with
            {
                Lora = new LoraCase(ranks, assignment, Slices(row[(int)Factor.Slices], outFeatures))
                {
                    Vectors = index % 2 == 0 && MayHaveVectors(ranks, inFeatures, outFeatures),
                },
            };
        }

        return @case;
    }

    // Several adapters, rows of W that have norms, and no more of them than the reference sums up in an instant.
    private static bool MayHaveVectors(int[] ranks, int inFeatures, int outFeatures) =>
        ranks.Length is > 1 and <= 5 && inFeatures >= 31 && (long)inFeatures * outFeatures <= 1 << 21;

    // All columns; one part in the middle; a fused projection of unequal parts; parts at odd offsets with gaps between.
    private static (long Offset, long Size)[] Slices(int index, int n) => VerificationFactors.SliceKinds[index] switch
    {
        1 => [(n / 3, n / 2)],
        2 => [(0, n - 7), (n - 7, 4), (n - 3, 3)],
        3 => [(1, 2), (5, n / 2), (n / 2 + 6, n - n / 2 - 7)],
        _ => [],
    };
}
