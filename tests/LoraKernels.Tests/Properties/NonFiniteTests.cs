using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>NaN and infinity stay in their row, in their adapter and in their column; finite inputs make no NaN.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.NamesAndModes))]
public sealed class NonFiniteTests(string deviceName) : DeviceFixture(deviceName)
{
    private const int Rows = 9;
    private const int BadRow = 4;

    [Test]
    public void AnInputThatIsNotFiniteStaysInItsRow(
        [Values(float.NaN, float.PositiveInfinity, float.NegativeInfinity)] float bad,
        [Values(0, 5, 319)] int column)
    {
        StaysInItsRow<float>(bad, column);
        StaysInItsRow<Half>(bad, column);
        StaysInItsRow<BFloat16>(bad, column);
    }

    [Test]
    public void NaNInAnAdapterThatARowDoesNotNameDoesNotReachIt()
    {
        using var rig = new LinearRig<Half>(Device);
        Half[] x = rig.X(Rows);
        var plan = LinearRig<Half>.MixedPlan(Rows);
        Half[] clean = rig.Forward(x, plan);
        int poison = rig.AddAdapter(rig.RandomAdapter(new Random(8), 5, fill: float.NaN));
        int infinite = rig.AddAdapter(rig.RandomAdapter(new Random(9), 5, fill: float.PositiveInfinity));

        Bits.AssertSame<Half>(rig.Forward(x, plan), clean, "in the table only");

        plan[BadRow] = [(infinite, 1)];
        Half[] mixed = rig.Forward(x, plan);
        for (int row = 0; row < Rows; row++)
        {
            ReadOnlySpan<Half> actual = Bits.Row(mixed, row, rig.OutFeatures);
            if (row != BadRow)
                Bits.AssertSame(actual, Bits.Row(clean, row, rig.OutFeatures), $"row {row}");
        }

        // Both slices of the module are changed, the column between them is not.
        Half[] bad = Bits.Row(mixed, BadRow, rig.OutFeatures).ToArray();
        int gap = rig.OutFeatures / 2;
        Assert.That(bad.Where((_, n) => n != gap), Has.None.Matches<Half>(Half.IsFinite));
        Assert.That(Half.IsFinite(bad[gap]));
        Assert.That(rig.Loaded[poison].IsRemoved, Is.False);
    }

    // Partial sums in fp32 overflow to both infinities here; the exact sums need not.
    [Test]
    public void LargeFiniteInputsGiveNoNaN()
    {
        GivesNoNaN<float>(float.MaxValue);
        GivesNoNaN<Half>(65504);
        GivesNoNaN<BFloat16>(3.3e38f);
    }

    [Test]
    public void RowsWithoutAdapterKeepEveryBitOfY()
    {
        using var rig = new LinearRig<Half>(Device);
        using LoraBatch batch = rig.Table.CreateBatch(new LoraBatchCapacity(3, 2, 1, 9));
        // Row 0 has no entry, row 2 has one that says none.
        batch.Set(3, [0, 0, 1, 2], new[] { rig.Loaded[0].Id, 0 }, []);
        Half[] before = LinearRig<Half>.RandomRows(3, rig.OutFeatures, 6);
        foreach (int row in (int[])[0, 2])
        {
            // A signaling NaN turns quiet when it is read and written.
            before[row * rig.OutFeatures] = BitConverter.UInt16BitsToHalf(0x7D55);
            before[row * rig.OutFeatures + 1] = Half.NegativeZero;
        }

        using DeviceTensor<Half> x = Device.Upload<Half>(rig.X(3), 3, rig.InFeatures);
        using DeviceTensor<Half> y = Device.Upload<Half>(before, 3, rig.OutFeatures);
        Kernels.LoraApply(x, batch, LinearRig<Half>.ModuleName, y);

        Half[] after = y.ToArray();
        Bits.AssertSame(Bits.Row(after, 0, rig.OutFeatures), Bits.Row(before, 0, rig.OutFeatures), "row 0");
        Bits.AssertSame(Bits.Row(after, 2, rig.OutFeatures), Bits.Row(before, 2, rig.OutFeatures), "row 2");
        Assert.That(after[rig.OutFeatures], Is.Not.EqualTo(before[rig.OutFeatures]), "row 1 has an adapter");
    }

    [Test]
    public void AScaleThatIsNotFiniteStaysInItsColumn()
    {
        const int OutFeatures = 37;
        const int InFeatures = 64;
        WeightTensors tensors = WeightSamples.Create(
            new VerificationCase
            {
                Op = VerificationOp.Matmul,
                Format = VerificationFormat.Nf4,
                OutFeatures = OutFeatures,
                InFeatures = InFeatures,
            },
            new Random(1));
        float[] clean = Product(tensors);
        var scales = MemoryMarshal.Cast<byte, float>(tensors.Scales.Span).ToArray();
        scales[35] = float.NaN;
        float[] bad = Product(new WeightTensors
        {
            Format = tensors.Format,
            OutFeatures = OutFeatures,
            InFeatures = InFeatures,
            GroupSize = tensors.GroupSize,
            Codes = tensors.Codes,
            Scales = MemoryMarshal.AsBytes<float>(scales).ToArray(),
        });

        for (int i = 0; i < clean.Length; i++)
        {
            if (i % OutFeatures == 35)
                Assert.That(bad[i], Is.NaN);
            else
                Assert.That(bad[i], Is.EqualTo(clean[i]));
        }

        float[] Product(WeightTensors weightTensors)
        {
            using QuantizedWeight weight = QuantizedWeight.Pack(Device, weightTensors);
            using DeviceTensor<float> x =
                Device.Upload<float>(LinearRig<float>.RandomRows(Rows, InFeatures, 2), Rows, InFeatures);
            using DeviceTensor<float> y = Device.Allocate<float>(Rows, OutFeatures);
            Kernels.Matmul(x, weight, null, y);
            return y.ToArray();
        }
    }

    private void StaysInItsRow<T>(float bad, int column)
        where T : unmanaged
    {
        using var rig = new LinearRig<T>(Device);
        var plan = LinearRig<T>.MixedPlan(Rows);
        T[] x = rig.X(Rows);
        T[] clean = rig.Forward(x, plan);
        x[BadRow * rig.InFeatures + column] = Elements.FromFloat<T>(bad);
        T[] actual = rig.Forward(x, plan);
        double[] expected = rig.Expected(x, plan);

        for (int row = 0; row < Rows; row++)
        {
            if (row != BadRow)
                Bits.AssertSame(Bits.Row(actual, row, rig.OutFeatures), Bits.Row(clean, row, rig.OutFeatures), $"row {row}");
        }

        for (int n = 0; n < rig.OutFeatures; n++)
        {
            double reference = expected[BadRow * rig.OutFeatures + n];
            float value = Elements.ToFloat(actual[BadRow * rig.OutFeatures + n]);
            Assert.That(double.IsFinite(reference), Is.False, "an infinity times a weight of 0 is a NaN");
            Assert.That(float.IsFinite(value), Is.False, $"column {n}");
        }
    }

    private void GivesNoNaN<T>(float large)
        where T : unmanaged
    {
        using var rig = new LinearRig<T>(Device);
        var plan = LinearRig<T>.MixedPlan(Rows);
        T[] x = Array.ConvertAll(rig.X(Rows), value => Elements.FromFloat<T>(Elements.ToFloat(value) < 0 ? -large : large));
        Assert.That(Elements.ToFloats(rig.Forward(x, plan)), Has.None.NaN);

        // The same with LoRA's own operations, in one step and in two.
        using LoraBatch batch = rig.Batch(plan);
        using DeviceTensor<T> input = Device.Upload<T>(x, Rows, rig.InFeatures);
        using DeviceTensor<T> once = Device.Upload<T>(new T[Rows * rig.OutFeatures], Rows, rig.OutFeatures);
        Kernels.LoraApply(input, batch, LinearRig<T>.ModuleName, once);
        Assert.That(Elements.ToFloats(once.ToArray()), Has.None.NaN);

        using DeviceTensor<float> shrunk =
            Device.Allocate<float>(batch.Entries, Kernels.LoraShrinkColumns(batch, LinearRig<T>.ModuleName));
        Kernels.LoraShrink(input, batch, LinearRig<T>.ModuleName, shrunk);
        float[] intermediate = shrunk.ToArray();
        Assert.That(intermediate, Has.None.NaN);

        // Expand's finite inputs are those that fp32 can hold.
        shrunk.CopyFrom(Array.ConvertAll(intermediate, value => float.Clamp(value, -float.MaxValue, float.MaxValue)));
        using DeviceTensor<T> twice = Device.Upload<T>(new T[Rows * rig.OutFeatures], Rows, rig.OutFeatures);
        Kernels.LoraExpand(shrunk, batch, LinearRig<T>.ModuleName, twice);
        Assert.That(Elements.ToFloats(twice.ToArray()), Has.None.NaN);
    }
}
