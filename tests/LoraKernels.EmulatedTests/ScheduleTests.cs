using LoraKernels.Tests.Operations;
using LoraKernels.Tests.Properties;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.EmulatedTests;

/// <summary>
/// In both modes: the order in which blocks, warps and copies run changes no bit, and what is not finite stays in its row.
/// </summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class ScheduleTests(bool batchInvariant) : DeviceFixture("emulated", batchInvariant)
{
    private const int OutFeatures = 40;
    private const int InFeatures = 2304;
    private const int BadRow = 5;

    // The kernels for few tokens and for more.
    [TestCase(8)]
    [TestCase(12)]
    public void TwentySchedulesGiveTheSameBits(int rows)
    {
        EachScheduleGivesTheSameBits<Half>(VerificationFormat.Nf4, rows);
        EachScheduleGivesTheSameBits<BFloat16>(VerificationFormat.GgufQ4K, rows);
        EachScheduleGivesTheSameBits<float>(VerificationFormat.Int4ZeroPoints, rows);
    }

    [Test]
    public void WhatIsNotFiniteChangesNoOtherRow(
        [Values(8, 12)] int rows, [Values(float.NaN, float.PositiveInfinity)] float bad)
    {
        StaysInItsRow<Half>(VerificationFormat.Nf4, rows, bad);
        StaysInItsRow<BFloat16>(VerificationFormat.Nvfp4, rows, bad);
        StaysInItsRow<float>(VerificationFormat.GgufQ4K, rows, bad);
    }

    private void EachScheduleGivesTheSameBits<T>(VerificationFormat format, int rows)
        where T : unmanaged
    {
        using var rig = new LinearRig<T>(Device, OutFeatures, InFeatures, format);
        T[] x = rig.X(rows);
        using LoraBatch batch = rig.Batch(LinearRig<T>.MixedPlan(rows));
        T[] expected = rig.Forward(x, batch);
        for (int seed = 1; seed <= 20; seed++)
        {
            EmulatedDevice.Configure($"seed={seed}");
            Bits.AssertSame<T>(rig.Forward(x, batch), expected, $"{typeof(T).Name}, {rows} rows, schedule {seed}");
        }
    }

    private void StaysInItsRow<T>(VerificationFormat format, int rows, float bad)
        where T : unmanaged
    {
        using var rig = new LinearRig<T>(Device, OutFeatures, InFeatures, format);
        int poison = rig.AddAdapter(rig.RandomAdapter(new Random(8), 5, fill: bad));
        int twin = rig.AddAdapter(rig.RandomAdapter(new Random(8), 5));
        T[] x = rig.X(rows);
        (int, float)[][] plan = LinearRig<T>.MixedPlan(rows);
        plan[BadRow] = [(twin, 1)];
        T[] clean = rig.Forward(x, plan);

        T[] badX = [.. x];
        badX[BadRow * InFeatures + InFeatures / 3] = Elements.FromFloat<T>(bad);
        OtherRowsAreTheSame(rig.Forward(badX, plan), clean, rows, $"{bad} in x");

        plan[BadRow] = [(poison, 1)];
        OtherRowsAreTheSame(rig.Forward(x, plan), clean, rows, $"{bad} in an adapter");
    }

    private static void OtherRowsAreTheSame<T>(T[] actual, T[] clean, int rows, string what)
        where T : unmanaged
    {
        for (int row = 0; row < rows; row++)
        {
            ReadOnlySpan<T> values = Bits.Row(actual, row, OutFeatures);
            if (row == BadRow)
                Assert.That(Elements.ToFloats(values.ToArray()), Has.Some.Matches<float>(value => !float.IsFinite(value)), what);
            else
                Bits.AssertSame(values, Bits.Row(clean, row, OutFeatures), $"{typeof(T).Name}, {what}, row {row}");
        }
    }
}
