namespace LoraKernels.Verification;

/// <summary>The cases of <see cref="VerificationSuite.Cases"/>: modest shapes, tails in every dimension.</summary>
internal static class VerificationTable
{
    // K of 17 groups of 64 a row, and of groups that run across rows (NF4; Q4_0's blocks of 32 never do).
    private const long WholeGroups = 1088;
    private const long StraddlingGroups = 1120;

    private static readonly DType[] DTypes = [DType.Float32, DType.Float16, DType.BFloat16];

    private static readonly VerificationFormat[] Formats =
        [VerificationFormat.Nf4, VerificationFormat.Nf4Nested, VerificationFormat.GgufQ40];

    // A fused projection with parts of unequal size, for N = 320.
    private static readonly (long Offset, long Size)[] Parts = [(0, 192), (192, 65), (257, 63)];

    public static IReadOnlyList<VerificationCase> Create()
    {
        var cases = new List<VerificationCase>();
        foreach (VerificationFormat format in Formats)
        {
            foreach (long inFeatures in (long[])[WholeGroups, StraddlingGroups])
            {
                cases.Add(WithWeight(VerificationOp.Pack, format, DType.Float32, 0, inFeatures));
                foreach (DType dtype in DTypes)
                {
                    cases.Add(WithWeight(VerificationOp.Dequantize, format, dtype, 0, inFeatures));
                    if (format != VerificationFormat.GgufQ40)
                        cases.Add(WithWeight(VerificationOp.Quantize, format, dtype, 0, inFeatures));
                }
            }
            foreach (DType dtype in DTypes)
            {
                foreach (var (rows, inFeatures) in ((long, long)[])[(1, WholeGroups), (7, StraddlingGroups), (64, WholeGroups)])
                {
                    cases.Add(WithWeight(VerificationOp.Matmul, format, dtype, rows, inFeatures));
                    cases.Add(WithWeight(VerificationOp.MatmulBias, format, dtype, rows, inFeatures) with
                    {
                        BiasDType = dtype,
                    });
                    cases.Add(WithWeight(VerificationOp.Linear, format, dtype, rows, inFeatures) with
                    {
                        BiasDType = DType.Float32,
                        Lora = new LoraCase([8, 16, 3, 64, 1], LoraAssignment.Stacked, Parts),
                    });
                }
            }
        }

        foreach (DType dtype in DTypes)
        {
            cases.AddRange(WithAdapters(VerificationOp.LoraShrink, dtype));
            cases.AddRange(WithAdapters(VerificationOp.LoraExpand, dtype));
            cases.AddRange(WithAdapters(VerificationOp.LoraApply, dtype));
        }

        return cases;
    }

    private static VerificationCase WithWeight(
        VerificationOp op, VerificationFormat format, DType dtype, long rows, long inFeatures) =>
        new() { Op = op, DType = dtype, Format = format, Rows = rows, OutFeatures = 320, InFeatures = inFeatures };

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
