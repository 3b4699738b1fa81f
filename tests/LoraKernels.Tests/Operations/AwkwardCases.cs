using LoraKernels.Verification;

namespace LoraKernels.Tests.Operations;

/// <summary>Shapes that break kernels: nothing is a multiple of anything, or is empty.</summary>
internal static class AwkwardCases
{
    // 3420: NF4's groups of 64 straddle the rows. 3424: the same with a multiple of 32.
    private static readonly int[] InFeatures =
        [0, 1, 7, 8, 31, 32, 33, 63, 64, 96, 100, 129, 320, 1000, 1056, 3420, 3424];

    private static readonly int[] OutFeatures = [0, 1, 3, 15, 16, 17, 31, 32, 33, 100, 257];

    private static readonly int[] Rows = [0, 1, 2, 3, 5, 8, 17, 33, 64, 300];

    private static readonly int[] GroupSizes = [32, 64, 128, 256, 512, 1024, 2048, 4096];

    private static readonly int[] OuterGroupSizes = [256, 1, 3, 64];

    private static readonly DType[] DTypes = [DType.Float32, DType.Float16, DType.BFloat16];

    private static readonly IReadOnlyList<VerificationFormat> Formats = VerificationFormats.All;

    private static readonly VerificationFormat[] WrittenFormats =
        [.. Formats.Where(format => format.CanBeWritten())];

    private static readonly int[][] Ranks =
        [[], [1], [3, 8, 9], [16], [48, 1], [64, 8, 3, 0, 9], [320], [512], [1, 512], [.. Enumerable.Range(1, 64)]];

    private static readonly LoraAssignment[] Assignments = Enum.GetValues<LoraAssignment>();

    public static IEnumerable<VerificationCase> WeightOps()
    {
        VerificationOp[] ops = [VerificationOp.Pack, VerificationOp.Dequantize, VerificationOp.Quantize];
        int[] sizes =
            [ops.Length, InFeatures.Length, OutFeatures.Length, GroupSizes.Length, Formats.Count, DTypes.Length, 2, 2, 4];
        foreach (int[] v in PairwiseCover.Create(sizes, 11))
        {
            bool quantizes = ops[v[0]] == VerificationOp.Quantize;
            VerificationFormat format = quantizes ? WrittenFormats[v[4] % WrittenFormats.Length] : Formats[v[4]];
            long inFeatures = format.FitInFeatures(InFeatures[v[1]]);
            yield return new VerificationCase
            {
                Op = ops[v[0]],
                DType = DTypes[v[5]],
                Format = format,
                InFeatures = inFeatures,
                OutFeatures = OutFeatures[v[2]],
                GroupSize = GroupSize(GroupSizes[v[3]], inFeatures, format),
                OuterGroupSize = quantizes ? 256 : OuterGroupSizes[v[8]],
                ScaleDType = DTypes[v[8] % 3],
                CustomMap = v[6] == 1 && format.HasTable() && !quantizes,
                Strided = v[7] == 1,
                Seed = v.Sum() + 1,
            };
        }
    }

    public static IEnumerable<VerificationCase> Matmuls()
    {
        int[] sizes =
            [InFeatures.Length, OutFeatures.Length, Rows.Length, GroupSizes.Length, Formats.Count, DTypes.Length, 4, 2, 2];
        foreach (int[] v in PairwiseCover.Create(sizes, 12))
        {
            VerificationFormat format = Formats[v[4]];
            long inFeatures = format.FitInFeatures(InFeatures[v[0]]);
            yield return new VerificationCase
            {
                Op = v[6] == 3 ? VerificationOp.Matmul : VerificationOp.MatmulBias,
                DType = DTypes[v[5]],
                Format = format,
                Rows = Rows[v[2]],
                InFeatures = inFeatures,
                OutFeatures = OutFeatures[v[1]],
                GroupSize = GroupSize(GroupSizes[v[3]], inFeatures, format),
                ScaleDType = DTypes[v[3] % 3],
                BiasDType = DTypes[v[6] % 3],
                CustomMap = v[8] == 1 && format.HasTable(),
                Strided = v[7] == 1,
                Seed = v.Sum() + 1,
            };
        }
    }

    // A module has at least one feature on either side, so 0 is left out here.
    public static IEnumerable<VerificationCase> Loras()
    {
        int[] inputs = InFeatures[1..];
        int[] outputs = OutFeatures[1..];
        VerificationOp[] ops =
            [VerificationOp.LoraShrink, VerificationOp.LoraExpand, VerificationOp.LoraApply, VerificationOp.Linear];
        int[] sizes =
        [
            ops.Length, inputs.Length, outputs.Length, Rows.Length, DTypes.Length, Ranks.Length,
            Assignments.Length, 4, 2, Formats.Count,
        ];
        foreach (int[] v in PairwiseCover.Create(sizes, 13))
        {
            VerificationFormat format = ops[v[0]] == VerificationOp.Linear ? Formats[v[9]] : VerificationFormat.None;
            int outFeatures = outputs[v[2]];
            yield return new VerificationCase
            {
                Op = ops[v[0]],
                DType = DTypes[v[4]],
                Format = format,
                Rows = Rows[v[3]],
                InFeatures = format.FitInFeatures(inputs[v[1]]),
                OutFeatures = outFeatures,
                Lora = new LoraCase(Ranks[v[5]], Assignments[v[6]], Slices(v[7], outFeatures)),
                BiasDType = DTypes[v[9] % 3],
                Strided = v[8] == 1,
                Seed = v.Sum() + 1,
            };
        }
    }

    // The largest one stands for int4's other kind of group: a whole row.
    private static int GroupSize(int groupSize, long inFeatures, VerificationFormat format) =>
        format.HasScaleDType() && groupSize == GroupSizes[^1] && inFeatures > 0 ? (int)inFeatures : groupSize;

    // All columns; one part in the middle; a fused projection of unequal parts; parts at odd offsets with gaps between.
    private static (long Offset, long Size)[] Slices(int kind, int outFeatures)
    {
        int n = outFeatures;
        return (kind, n) switch
        {
            (0, _) or (_, < 15) => [],
            (1, _) => [(n / 3, n / 2)],
            (2, _) => [(0, n - 7), (n - 7, 4), (n - 3, 3)],
            _ => [(1, 2), (5, n / 2), (n / 2 + 6, n - n / 2 - 7)],
        };
    }
}
