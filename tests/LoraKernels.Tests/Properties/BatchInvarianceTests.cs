using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>
/// A row's bits are its own on a device that is opened so: they depend on no neighbour, no position, no thread and no run.
/// </summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.NamesAndModes))]
[NonParallelizable]
public sealed class BatchInvarianceTests(string deviceName) : DeviceFixture(deviceName, batchInvariant: true)
{
    private const int Rows = 70;

    private static readonly VerificationFormat[] Formats =
    [
        VerificationFormat.Nf4, VerificationFormat.Nf4Nested, VerificationFormat.GgufQ40, VerificationFormat.GgufQ41,
        VerificationFormat.Int4ActOrder, VerificationFormat.Nvfp4,
    ];

    [TestCaseSource(nameof(Formats))]
    public void SplittingPermutingAndShrinkingTheBatch(VerificationFormat format)
    {
        RowsAreTheirOwn<float>(format);
        RowsAreTheirOwn<Half>(format);
        RowsAreTheirOwn<BFloat16>(format);
    }

    [Test]
    public void TwentyRunsAndAnyThreadCount()
    {
        ThreadsDoNotMatter<float>();
        ThreadsDoNotMatter<Half>();
        ThreadsDoNotMatter<BFloat16>();
    }

    [Test]
    public void DequantizeAndQuantizeAtAnyThreadCount()
    {
        float[] w = LinearRig<float>.RandomRows(301, 333, 9);
        using DeviceTensor<float> weights = Device.Upload<float>(w, 301, 333);
        AtThreadCounts(() =>
        {
            using QuantizedWeight weight = QuantizedWeight.Quantize(weights);
            using DeviceTensor<float> values = Device.Allocate<float>(301, 333);
            weight.Dequantize(values);
            return values.ToArray();
        });
    }

    [Test]
    public void StridesDoNotMatter()
    {
        using var rig = new LinearRig<Half>(Device);
        Half[] x = rig.X(9);
        var plan = LinearRig<Half>.MixedPlan(9);
        Half[] dense = rig.Forward(x, plan);

        using LoraBatch batch = rig.Batch(plan);
        using GuardedTensor<Half> input = GuardedTensor<Half>.Of(Device, x, 9, rig.InFeatures, strided: true);
        using GuardedTensor<Half> output = GuardedTensor<Half>.Unwritten(Device, 9, rig.OutFeatures, strided: true);
        rig.Linear.Forward(input.View, batch, output.View);

        Bits.AssertSame<Half>(output.Read(), dense, "strided");
        Assert.That(output.ChangedGuards(), Is.Zero);
    }

    private void RowsAreTheirOwn<T>(VerificationFormat format)
        where T : unmanaged
    {
        // Row-straddling groups in NF4; no dimension is a multiple of a tile but K of Q4_0 must be one of 32.
        using var rig = new LinearRig<T>(Device, 131, 352, format);
        T[] x = rig.X(Rows);
        (int, float)[][] plan = LinearRig<T>.MixedPlan(Rows);
        T[] whole = rig.Forward(x, plan);

        for (int row = 0; row < Rows; row++)
        {
            T[] alone = rig.Forward(Bits.Rows(x, rig.InFeatures, row), plan[row]);
            Bits.AssertSame(alone, Bits.Row(whole, row, rig.OutFeatures), $"row {row} alone");
        }

        foreach (int count in (int[])[2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 64, 65])
        {
            int first = Rows - count;
            T[] part = rig.Forward([.. x.Skip(first * rig.InFeatures)], plan[first..]);
            Bits.AssertSame(part, whole.AsSpan(first * rig.OutFeatures), $"the last {count} rows");
        }

        int[] order = [.. Enumerable.Range(0, Rows)];
        new Random(4).Shuffle(order);
        T[] permuted = rig.Forward(Bits.Rows(x, rig.InFeatures, order), [.. order.Select(row => plan[row])]);
        Bits.AssertSame(permuted, Bits.Rows(whole, rig.OutFeatures, order), "permuted");

        // The same row 0 among neighbours with other adapters.
        (int, float)[][] others = [plan[0], .. Enumerable.Repeat(((int, float)[])[(1, 3)], Rows - 1)];
        T[] among = rig.Forward(x, others);
        Bits.AssertSame(Bits.Row(among, 0, rig.OutFeatures), Bits.Row(whole, 0, rig.OutFeatures), "other adapters");
    }

    private void ThreadsDoNotMatter<T>()
        where T : unmanaged
    {
        using var rig = new LinearRig<T>(Device, 259, 352);
        T[] x = rig.X(21);
        using LoraBatch batch = rig.Batch(LinearRig<T>.MixedPlan(21));
        AtThreadCounts(() => rig.Forward(x, batch));
        T[] first = rig.Forward(x, batch);
        for (int run = 0; run < 20; run++)
            Bits.AssertSame<T>(rig.Forward(x, batch), first, $"run {run}");
    }

    private static void AtThreadCounts<T>(Func<T[]> run)
        where T : unmanaged
    {
        int before = Device.CpuThreadCount;
        try
        {
            Device.CpuThreadCount = 1;
            T[] single = run();
            foreach (int threads in (int[])[2, 3, 7])
            {
                Device.CpuThreadCount = threads;
                Bits.AssertSame<T>(run(), single, $"{threads} threads");
            }
        }
        finally
        {
            Device.CpuThreadCount = before;
        }
    }
}
