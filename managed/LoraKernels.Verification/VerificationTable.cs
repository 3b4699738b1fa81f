namespace LoraKernels.Verification;

/// <summary>The cases of <see cref="VerificationSuite.Cases"/>: modest shapes, tails in every dimension.</summary>
internal static class VerificationTable
{
    // K of 17 groups of 64 a row, and of groups that run across rows (NF4, FP4) or end early (int4). Formats whose K must
    // be a multiple get the next one.
    private const long WholeGroups = 1088;
    private const long BrokenGroups = 1120;

    private static readonly (long Rows, long InFeatures)[] Shapes =
        [(1, WholeGroups), (7, BrokenGroups), (64, WholeGroups)];

    private static readonly DType[] DTypes = [DType.Float32, DType.Float16, DType.BFloat16];

    // A fused projection with parts of unequal size, for N = 320.
    private static readonly (long Offset, long Size)[] Parts = [(0, 192), (192, 65), (257, 63)];

    public static IReadOnlyList<VerificationCase> Create()
    {
        var cases = new List<VerificationCase>();
        foreach (VerificationFormat format in VerificationFormats.All)
        {
            long[] depths = [.. ((long[])[WholeGroups, BrokenGroups]).Select(depth => format.FitInFeatures(depth)).Distinct()];
            foreach (long inFeatures in depths)
            {
                foreach (DType scaleDType in format.HasScaleDType() ? DTypes : [DType.Float16])
                    cases.Add(WithWeight(VerificationOp.Pack, format, DType.Float32, 0, inFeatures, scaleDType));
                foreach (DType dtype in DTypes)
                {
                    cases.Add(WithWeight(VerificationOp.Dequantize, format, dtype, 0, inFeatures, dtype));
                    if (format.CanBeWritten())
                        cases.Add(WithWeight(VerificationOp.Quantize, format, dtype, 0, inFeatures, dtype));
                }
            }

            foreach (DType dtype in DTypes)
                cases.AddRange(Products(format, dtype));
        }

        foreach (DType dtype in DTypes)
        {
            cases.AddRange(WithAdapters(VerificationOp.LoraShrink, dtype));
            cases.AddRange(WithAdapters(VerificationOp.LoraExpand, dtype));
            cases.AddRange(WithAdapters(VerificationOp.LoraApply, dtype));
        }

        return cases;
    }

    // Every op, and every shape, but not each with each: they take turns with formats and types.
    private static IEnumerable<VerificationCase> Products(VerificationFormat format, DType dtype)
    {
        int turn = (int)format + (int)dtype;
        VerificationOp[] ops = [VerificationOp.Matmul, VerificationOp.MatmulBias, VerificationOp.Linear];
        for (int i = 0; i < ops.Length; i++)
        {
            (long rows, long inFeatures) = Shapes[(turn + i) % Shapes.Length];
            DType scaleDType = DTypes[(turn + 2 * i) % DTypes.Length];
            VerificationCase @case = WithWeight(ops[i], format, dtype, rows, inFeatures, scaleDType);
            yield return ops[i] switch
            {
                VerificationOp.Matmul => @case,
                VerificationOp.MatmulBias => @case with { BiasDType = dtype },
                _ => @case with
                {
                    BiasDType = DType.Float32,
                    Lora = new LoraCase([8, 16, 3, 64, 1], LoraAssignment.Stacked, Parts),
                },
            };
        }
    }

    private static VerificationCase WithWeight(
        VerificationOp op, VerificationFormat format, DType dtype, long rows, long inFeatures, DType scaleDType) =>
        new()
        {
            Op = op,
            DType = dtype,
            Format = format,
            Rows = rows,
            OutFeatures = 320,
            InFeatures = format.FitInFeatures(inFeatures),
            ScaleDType = scaleDType,
        };

    private static IEnumerable<VerificationCase> WithAdapters(VerificationOp op, DType dtype)
    {
        LoraCase[] loras =
        [
            new([16], LoraAssignment.Same, []),
            new([8, 16, 3, 64, 1], LoraAssignment.InTurn, []),
            new([8, 16, 3, 64, 1], LoraAssignment.Stacked, Parts),
        ];
        foreach (LoraCase lora in loras)
        {
            yield return new VerificationCase
            {
                Op = op,
                DType = dtype,
                Rows = 33,
                OutFeatures = 320,
                InFeatures = 1000,
                Lora = lora,
            };
        }
    }
}
