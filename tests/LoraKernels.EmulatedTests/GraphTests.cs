using LoraKernels.Tests.Operations;
using LoraKernels.Tests.Properties;
using NUnit.Framework;

namespace LoraKernels.EmulatedTests;

/// <summary>A recorded step, replayed with other contents, does what the step itself would do.</summary>
[TestFixture]
public sealed class GraphTests() : DeviceFixture("emulated")
{
    private const int Rows = 19;

    [Test]
    public void ReplaysWithNewInputsAndNewAdapters()
    {
        Replay<float>();
        Replay<Half>();
        Replay<BFloat16>();
    }

    [Test]
    public void AGraphKeepsWhatItUses()
    {
        using var rig = new LinearRig<Half>(Device, 65, 96);
        Half[] x = rig.X(Rows);
        Half[] expected;
        DeviceGraph graph;
        using DeviceTensor<Half> output = Device.Allocate<Half>(Rows, rig.OutFeatures);
        using (LoraBatch batch = rig.Batch(LinearRig<Half>.MixedPlan(Rows)))
        using (DeviceTensor<Half> input = Device.Upload<Half>(x, Rows, rig.InFeatures))
        {
            expected = rig.Forward(x, batch);
            graph = Device.DefaultStream.Capture(() => rig.Linear.Forward(input, batch, output));
        }

        using (graph)
        {
            graph.Launch();
            Bits.AssertSame<Half>(output.ToArray(), expected, "after the batch and the input were disposed");
        }
    }

    [Test]
    public void WhatCannotBeRecordedIsRefusedAndTheStreamGoesOn()
    {
        using var rig = new LinearRig<float>(Device, 65, 96);
        float[] x = rig.X(Rows);
        using LoraBatch batch = rig.Batch(LinearRig<float>.MixedPlan(Rows));
        float[] expected = rig.Forward(x, batch);
        using DeviceTensor<float> tensor = Device.Upload<float>(x, Rows, rig.InFeatures);

        Assert.Throws<LoraKernelsException>(
            () => Device.DefaultStream.Capture(() => batch.Set(new LoadedAdapter?[Rows])).Dispose());
        Assert.Throws<LoraKernelsException>(() => Device.DefaultStream.Capture(() => tensor.ToArray()).Dispose());
        Assert.Throws<InvalidOperationException>(
            () => Device.DefaultStream.Capture(() => throw new InvalidOperationException()).Dispose());

        Bits.AssertSame<float>(rig.Forward(x, batch), expected, "after three recordings that failed");
    }

    private void Replay<T>()
        where T : unmanaged
    {
        using var rig = new LinearRig<T>(Device, 129, 160);
        using LoraBatch batch = rig.Batch(LinearRig<T>.MixedPlan(Rows));
        T[] x = rig.X(Rows);
        T[] other = LinearRig<T>.RandomRows(Rows, rig.InFeatures, 77);
        T[] expected = rig.Forward(x, batch);
        T[] expectedOther = rig.Forward(other, batch);
        using DeviceTensor<T> input = Device.Upload<T>(x, Rows, rig.InFeatures);
        using DeviceTensor<T> output = Device.Allocate<T>(Rows, rig.OutFeatures);

        using DeviceGraph graph = Device.DefaultStream.Capture(() => rig.Linear.Forward(input, batch, output));
        graph.Launch();
        Bits.AssertSame<T>(output.ToArray(), expected, "as recorded");
        input.CopyFrom(other);
        graph.Launch();
        Bits.AssertSame<T>(output.ToArray(), expectedOther, "other inputs");

        // No row has an adapter any more, without recording anew.
        batch.Set(new LoadedAdapter?[Rows]);
        T[] expectedPlain = rig.Forward(other, batch);
        graph.Launch();
        Bits.AssertSame<T>(output.ToArray(), expectedPlain, "other adapters");
        Assert.That(expectedPlain, Is.Not.EqualTo(expectedOther));
    }
}
