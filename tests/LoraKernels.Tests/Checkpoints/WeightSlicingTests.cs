using LoraKernels.Checkpoints;
using LoraKernels.Verification;
using NUnit.Framework;
using NUnit.Framework.Constraints;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Slices and fused weights are the same numbers as in the whole, by the reference's decoding of each.</summary>
public sealed class WeightSlicingTests
{
    private const int N = 48, K = 512;

    private static IEnumerable<VerificationFormat> Formats => VerificationFormats.All;

    [TestCaseSource(nameof(Formats))]
    public void RowsAreThoseOfTheWhole(VerificationFormat format)
    {
        var weight = Sample(format);
        foreach ((long first, long count) in ((long, long)[])[(0, 16), (16, 32), (40, 8), (0, 48)])
        {
            var slice = weight.Slice(WeightSlice.Rows(first, count));
            Assert.That((slice.OutFeatures, slice.InFeatures), Is.EqualTo((count, (long)K)));
            Assert.That(Decode(slice), Is.EqualTo(Decode(weight)[(int)(first * K)..(int)((first + count) * K)]));
        }
    }

    [TestCaseSource(nameof(Formats))]
    public void ColumnsAreThoseOfTheWhole(VerificationFormat format)
    {
        var weight = Sample(format);
        if (!weight.GroupIndex.IsEmpty)
        {
            Assert.That(() => weight.Slice(WeightSlice.Columns(0, 256)), Throws.ArgumentException.With.Message.Contains("act-order"));
            return;
        }
        float[] whole = Decode(weight);
        foreach ((int first, int count) in ((int, int)[])[(0, 256), (256, 256)])
        {
            float[] expected = [.. Enumerable.Range(0, N).SelectMany(n => whole[(n * K + first)..(n * K + first + count)])];
            Assert.That(Decode(weight.Slice(WeightSlice.Columns(first, count))), Is.EqualTo(expected));
        }
    }

    [TestCaseSource(nameof(Formats))]
    public void WeightsPutTogetherAreTheirRows(VerificationFormat format)
    {
        var weight = Sample(format);
        // Cut from one weight, so that tables, tensor scales and the order of groups agree.
        WeightTensors[] parts =
        [
            weight.Slice(WeightSlice.Rows(16, 32)), weight.Slice(WeightSlice.Rows(0, 8)), weight.Slice(WeightSlice.Rows(40, 8)),
        ];
        Assert.That(Decode(WeightSlicing.Concatenate(parts)), Is.EqualTo((float[])
            [.. Decode(parts[0]), .. Decode(parts[1]), .. Decode(parts[2])]));
    }

    [Test]
    public void NestedScalesOfDifferentWeightsBecomePlainOnes()
    {
        WeightTensors[] parts = [Sample(VerificationFormat.Nf4Nested), WithOffset(Sample(VerificationFormat.Nf4Nested, seed: 2), 0.5f)];
        var whole = WeightSlicing.Concatenate(parts);
        Assert.That(whole.OuterGroupSize, Is.Zero);
        Assert.That(Decode(whole), Is.EqualTo((float[])[.. Decode(parts[0]), .. Decode(parts[1])]));
    }

    // 48 x 512 in groups of 64: 8 groups a row, 384 in all, outer groups of 256.
    [TestCase(true, 0, 48, 256), TestCase(true, 32, 16, 256), TestCase(true, 16, 32, 128), TestCase(true, 1, 9, 8)]
    [TestCase(false, 0, 512, 256), TestCase(false, 256, 256, 4), TestCase(false, 128, 128, 2), TestCase(false, 64, 64, 0)]
    public void NestedScalesStayNestedInSmallerOuterGroups(bool ofRows, long first, long count, long outerGroupSize)
    {
        var weight = Sample(VerificationFormat.Nf4Nested);
        var slice = weight.Slice(ofRows ? WeightSlice.Rows(first, count) : WeightSlice.Columns(first, count));
        Assert.That(slice.OuterGroupSize, Is.EqualTo(outerGroupSize));
        float[] whole = Decode(weight);
        (long firstRow, long rows) = ofRows ? (first, count) : (0, N);
        (long firstColumn, long columns) = ofRows ? (0, K) : (first, count);
        float[] expected = [.. Enumerable.Range((int)firstRow, (int)rows).SelectMany(n =>
            whole[(int)(n * K + firstColumn)..(int)(n * K + firstColumn + columns)])];
        Assert.That(Decode(slice), Is.EqualTo(expected));
    }

    [Test]
    public void SlicesOfOneWeightStayNestedTogether()
    {
        var weight = Sample(VerificationFormat.Nf4Nested);
        WeightTensors[] parts = [weight.Slice(WeightSlice.Rows(16, 32)), weight.Slice(WeightSlice.Rows(0, 13))];
        var whole = WeightSlicing.Concatenate(parts);
        Assert.That(whole.OuterGroupSize, Is.EqualTo(128));
        Assert.That(Decode(whole), Is.EqualTo((float[])[.. Decode(parts[0]), .. Decode(parts[1])]));

        var straddling = Sample(VerificationFormat.Nf4Nested, inFeatures: 96).Slice(WeightSlice.Rows(8, 36));
        Assert.That(straddling.OuterGroupSize, Is.EqualTo(4));
        Assert.That(Decode(straddling), Is.EqualTo(Decode(Sample(VerificationFormat.Nf4Nested, inFeatures: 96))[(8 * 96)..(44 * 96)]));
    }

    [Test]
    public void RowsWhoseGroupsRunOnAreCutWhereAGroupEnds()
    {
        var weight = Sample(VerificationFormat.Nf4, inFeatures: 96);
        var slice = weight.Slice(WeightSlice.Rows(10, 36));
        Assert.That(Decode(slice), Is.EqualTo(Decode(weight)[(10 * 96)..(46 * 96)]));
        Assert.That(() => weight.Slice(WeightSlice.Rows(9, 3)), Refused("multiples of 2"));
        Assert.That(() => weight.Slice(WeightSlice.Columns(0, 32)), Refused("run across rows of 96"));
    }

    [Test]
    public void SlicesThatCutThroughWhatIsStoredTogetherSaySo()
    {
        Assert.That(() => Sample(VerificationFormat.Awq).Slice(WeightSlice.Rows(4, 8)), Refused("rows [4, 12)", "multiples of 8"));
        Assert.That(() => Sample(VerificationFormat.Gptq).Slice(WeightSlice.Columns(32, 64)), Refused("multiples of 64"));
        Assert.That(() => Sample(VerificationFormat.GgufQ4K).Slice(WeightSlice.Columns(0, 128)), Refused("multiples of 256"));
        Assert.That(() => Sample(VerificationFormat.Int4).Slice(WeightSlice.Rows(40, 9)), Refused("it has 48 rows"));
        Assert.That(() => Sample(VerificationFormat.Int4).Slice(WeightSlice.Columns(long.MaxValue, 1)), Refused("512 columns"));
        Assert.That(() => Sample(VerificationFormat.Hqq).Slice(WeightSlice.Columns(0, 64)).Slice(WeightSlice.Rows(0, 1)),
            Refused("even number of groups"));
        Assert.That(() => WeightSlice.Rows(-1, 2), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => WeightSlice.Rows(0, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void WeightsThatDifferAreNotPutTogether()
    {
        var int4 = Sample(VerificationFormat.Int4);
        void Expect(WeightTensors other, params string[] parts) =>
            Assert.That(() => WeightSlicing.Concatenate([int4, other]), Refused(parts));
        Expect(Sample(VerificationFormat.Gptq), "weight 1", "format Gptq", "Int4Packed");
        Expect(Sample(VerificationFormat.Int4, inFeatures: 256), "in features 256");
        Expect(Sample(VerificationFormat.Int4, groupSize: 128), "group size 128");
        Expect(Sample(VerificationFormat.Int4, scales: DType.Float32), "type of scales Float32");
        Expect(Sample(VerificationFormat.Int4ZeroPoints), "zero points integers", "none");
        Assert.That(() => WeightSlicing.Concatenate([Sample(VerificationFormat.Nvfp4), Sample(VerificationFormat.Nvfp4, seed: 2)]),
            Refused("tensor scale"));
        Assert.That(() => WeightSlicing.Concatenate(
            [Sample(VerificationFormat.Int4ActOrder), Sample(VerificationFormat.Int4ActOrder, seed: 2)]), Refused("act-order"));
        Assert.That(() => WeightSlicing.Concatenate([]), Refused("no weights"));
    }

    private static Constraint Refused(params string[] parts) => parts.Aggregate(
        (Constraint)Throws.ArgumentException.With.Message.Contains(parts[0]), (c, part) => c.And.Message.Contains(part));

    private static WeightTensors Sample(
        VerificationFormat format, int seed = 1, int inFeatures = K, int groupSize = 64, DType scales = DType.Float16) =>
        WeightSamples.Create(
            new VerificationCase
            {
                Op = VerificationOp.Pack,
                Format = format,
                OutFeatures = N,
                InFeatures = inFeatures,
                GroupSize = groupSize,
                ScaleDType = scales,
            },
            new Random(seed));

    private static WeightTensors WithOffset(WeightTensors weight, float offset) => new()
    {
        Format = weight.Format,
        OutFeatures = weight.OutFeatures,
        InFeatures = weight.InFeatures,
        GroupSize = weight.GroupSize,
        OuterGroupSize = weight.OuterGroupSize,
        OuterOffset = offset,
        Codes = weight.Codes,
        Scales = weight.Scales,
        Table = weight.Table,
        OuterTable = weight.OuterTable,
        OuterScales = weight.OuterScales,
    };

    private static float[] Decode(WeightTensors weight) => ReferenceBridge.Weight(weight).Decode();
}
