using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Operations;

/// <summary>The table leaves nothing out: no kernel, and no two values that may meet.</summary>
[TestFixture]
public sealed class VerificationTableTests
{
    private static readonly string[] DTypes = ["float32", "float16", "bfloat16"];

    private static readonly IReadOnlyList<VerificationCase> Cases = VerificationSuite.Cases;

    [Test]
    public void EveryOpIsThereInEveryTypeAndFormat()
    {
        HashSet<(string, string, string)> present =
            [.. Cases.Select(@case => (@case.OpName, @case.DTypeName, @case.FormatName))];
        var missing = new List<(string, string, string)>();
        foreach (string format in VerificationFactors.Formats.Where(HasWeight).Select(format => format.Name()))
        {
            Require("pack", "none", format);
            foreach (string dtype in DTypes)
            {
                foreach (string op in (string[])["dequantize", "matmul", "matmul_bias", "linear"])
                    Require(op, dtype, format);
                if (format is "nf4" or "nf4-nested" or "fp4" or "fp4-nested" or "int4" or "int4-zero-points")
                    Require("quantize", dtype, format);
            }
        }

        foreach (string dtype in DTypes)
        {
            foreach (string op in (string[])["lora_shrink", "lora_expand", "lora_apply"])
                Require(op, dtype, "none");
        }

        Assert.That(missing, Is.Empty);

        void Require(string op, string dtype, string format)
        {
            if (!present.Contains((op, dtype, format)))
                missing.Add((op, dtype, format));
        }
    }

    [Test]
    public void EveryTwoValuesThatMayMeetDo()
    {
        Assert.That(Missing(Cases), Is.Empty);
        Assert.That(Cases.Distinct().Count(), Is.EqualTo(Cases.Count));
    }

    // Where the rules of what may meet say no, this says what they must not say no to.
    [Test]
    public void AwkwardSizesMeetEveryTypeOpAndFormat()
    {
        foreach (DType dtype in VerificationFactors.DTypes)
        {
            VerificationCase[] products =
                [.. Cases.Where(@case => @case.DType == dtype && @case.Op >= VerificationOp.Matmul)];
            Assert.That(products.Select(@case => @case.InFeatures), Is.SupersetOf((long[])[0, 1, 33, 3420, 3424, 7392]));
            Assert.That(products.Select(@case => @case.OutFeatures), Is.SupersetOf((long[])[0, 1, 33, 2880, 3424]));
            Assert.That(products.Select(@case => @case.Rows), Is.SupersetOf((long[])[0, 1, 8, 9, 64, 65, 300]));
            LoraCase[] loras = [.. products.Select(@case => @case.Lora).OfType<LoraCase>()];
            Assert.That(loras.SelectMany(lora => lora.Ranks), Is.SupersetOf((int[])[1, 3, 8, 48, 64, 320]));
            Assert.That(loras.Select(lora => lora.Ranks.Count), Is.SupersetOf((int[])[0, 1, 5, 64]));
        }

        foreach (VerificationFormat format in VerificationFactors.Formats.Where(HasWeight))
        {
            VerificationCase[] weights = [.. Cases.Where(@case => @case.Format == format)];
            long[] depths = [.. ((long[])[3420, 3424, 7392]).Where(k => format.FitInFeatures(k) == k)];
            Assert.That(weights.Select(@case => @case.InFeatures), Is.SupersetOf(depths), format.Name());
            long[] widths = [.. ((long[])[0, 1, 33]).Where(n => format.FitOutFeatures(n) == n)];
            Assert.That(weights.Select(@case => @case.OutFeatures), Is.SupersetOf(widths), format.Name());
            Assert.That(
                weights.Select(@case => @case.Rows), Is.SupersetOf((long[])[0, 1, 8, 9, 64, 65]), format.Name());
        }
    }

    [Test]
    public void APairThatIsLeftOutIsMissed()
    {
        VerificationCase last = Cases.Last(@case => @case.InFeatures == 3420 && @case.Format == VerificationFormat.Nf4);
        VerificationCase[] without =
            [.. Cases.Where(@case => @case.InFeatures != 3420 || @case.Format != VerificationFormat.Nf4)];

        Assert.That(Missing(without), Does.Contain("Format Nf4, InFeatures 3420"));
        Assert.That(Missing([.. without, last]), Does.Not.Contain("Format Nf4, InFeatures 3420"));
    }

    [Test]
    public void TheCasesAreTheSameEveryTime() => Assert.That(VerificationTable.Create().Select(@case => @case.ToString()),
        Is.EqualTo(Cases.Select(@case => @case.ToString())));

    [Test]
    public void ACoverHasFewRowsAndWhatIsRequired()
    {
        int[] sizes = [3, 17, 5, 2, 8];
        List<int[]> rows = new PairwiseCover(sizes, (a, i, b, j) => (a, i, b, j) != (0, 2, 1, 16), 1).Create([[2, 3, 4]]);
        for (int a = 0; a < sizes.Length; a++)
        {
            for (int b = a + 1; b < sizes.Length; b++)
            {
                int pairs = rows.Select(row => (row[a], row[b])).Distinct().Count();
                Assert.That(pairs, Is.EqualTo(sizes[a] * sizes[b] - ((a, b) == (0, 1) ? 1 : 0)), $"factors {a} and {b}");
            }
        }

        Assert.That(rows[0][..3], Is.EqualTo((int[])[2, 3, 4]));
        Assert.That(rows, Has.Count.LessThan(sizes.Aggregate(1, (x, y) => x * y) / 10));
        Assert.That(
            () => new PairwiseCover([2, 2], (_, _, _, _) => false, 1).Create([[1, 1]]), Throws.ArgumentException);
    }

    // Pairs of values that may stand in one case and stand in none.
    private static List<string> Missing(IReadOnlyList<VerificationCase> cases)
    {
        int[][] present = [.. cases.Select(Values)];
        int[] sizes = VerificationFactors.Sizes;
        var missing = new List<string>();
        for (int first = 0; first < sizes.Length; first++)
        {
            for (int second = first + 1; second < sizes.Length; second++)
            {
                HashSet<(int, int)> pairs = [.. present.Select(row => (row[first], row[second]))];
                for (int i = 0; i < sizes[first]; i++)
                {
                    for (int j = 0; j < sizes[second]; j++)
                    {
                        var row = new int?[sizes.Length];
                        (row[first], row[second]) = (i, j);
                        if (!pairs.Contains((i, j)) && MayStand(row))
                            missing.Add($"{Name((Factor)first, i)}, {Name((Factor)second, j)}");
                    }
                }
            }
        }

        return missing;
    }

    // Tries every value of the factors that are not set, one after the other.
    private static bool MayStand(int?[] row)
    {
        for (int a = 0; a < row.Length; a++)
        {
            for (int b = a + 1; b < row.Length; b++)
            {
                if (row[a] is int i && row[b] is int j && !VerificationFactors.MayMeet(a, i, b, j))
                    return false;
            }
        }

        int factor = Array.FindIndex(row, value => value is null);
        if (factor < 0)
            return true;
        for (int value = 0; value < VerificationFactors.Sizes[factor]; value++)
        {
            int?[] next = [.. row];
            next[factor] = value;
            if (MayStand(next))
                return true;
        }

        return false;
    }

    private static string Name(Factor factor, int value) => factor switch
    {
        Factor.Op => $"Op {VerificationFactors.Ops[value]}",
        Factor.DType => $"DType {VerificationFactors.DTypes[value]}",
        Factor.Format => $"Format {VerificationFactors.Formats[value]}",
        Factor.InFeatures => $"InFeatures {VerificationFactors.InFeatures[value]}",
        Factor.OutFeatures => $"OutFeatures {VerificationFactors.OutFeatures[value]}",
        Factor.Rows => $"Rows {VerificationFactors.Rows[value]}",
        _ => $"{factor} {value}",
    };

    // What a case has of each factor.
    private static int[] Values(VerificationCase @case)
    {
        VerificationFormat format = @case.Format;
        bool hasBias = @case.Op is VerificationOp.MatmulBias or VerificationOp.Linear;
        bool hasRows = @case.Op >= VerificationOp.Matmul;
        int groupSize = !format.HasGroupSize() ? 0
            : VerificationFactors.GroupSizes.Contains(@case.GroupSize) ? @case.GroupSize
            : VerificationFactors.WholeRow;
        int slices = @case.Lora switch
        {
            null => VerificationFactors.None,
            { Slices.Count: 0 } => 0,
            { Slices.Count: 1 } => 1,
            { Slices: var all } => all[0].Offset == 0 ? 2 : 3,
        };
        int[] values =
        [
            Array.IndexOf(VerificationFactors.Ops, @case.Op),
            Array.IndexOf(VerificationFactors.DTypes, @case.DType),
            Array.IndexOf(VerificationFactors.Formats, format),
            Array.IndexOf(VerificationFactors.InFeatures, (int)@case.InFeatures),
            Array.IndexOf(VerificationFactors.OutFeatures, (int)@case.OutFeatures),
            Array.IndexOf(VerificationFactors.Rows, hasRows ? (int)@case.Rows : VerificationFactors.None),
            Array.IndexOf(VerificationFactors.GroupSizes, groupSize),
            Array.IndexOf(VerificationFactors.ScaleDTypes, format.HasScaleDType() ? @case.ScaleDType : null),
            Array.IndexOf(VerificationFactors.OuterGroupSizes, format.IsNested() ? @case.OuterGroupSize : 0),
            Array.IndexOf(VerificationFactors.CustomMap, @case.CustomMap),
            Array.IndexOf(VerificationFactors.BiasDTypes, hasBias ? @case.BiasDType : null),
            Array.FindIndex(
                VerificationFactors.Ranks,
                ranks => ranks is null ? @case.Lora is null : @case.Lora is not null && ranks.SequenceEqual(@case.Lora.Ranks)),
            Array.IndexOf(VerificationFactors.Assignments, @case.Lora?.Assignment),
            Array.IndexOf(VerificationFactors.SliceKinds, slices),
            Array.IndexOf(VerificationFactors.Strided, @case.Strided),
        ];
        Assert.That(values, Has.None.Negative, @case.ToString());
        return values;
    }

    private static bool HasWeight(VerificationFormat format) => format != VerificationFormat.None;
}
