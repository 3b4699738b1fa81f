using LoraKernels.Tests.Operations;
using LoraKernels.Tests.Properties;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.EmulatedTests;

/// <summary>A host engine's stream: operations run in its order and in its context.</summary>
[TestFixture]
public sealed class HostStreamTests() : DeviceFixture("emulated")
{
    private const int Rows = 7;

    [Test]
    public void ADeviceOnAHostsStreamGivesTheSameBits()
    {
        using var rig = new LinearRig<Half>(Device, 65, 96);
        Half[] x = rig.X(Rows);
        using LoraBatch batch = rig.Batch(LinearRig<Half>.MixedPlan(Rows));
        Half[] expected = rig.Forward(x, batch);

        using Device hosted = Device.OpenOnStream("emulated", Device.DefaultStream.NativeStream);
        Assert.That(hosted.DefaultStream.NativeStream, Is.EqualTo(Device.DefaultStream.NativeStream));
        using var hostedRig = new LinearRig<Half>(hosted, 65, 96);
        using LoraBatch hostedBatch = hostedRig.Batch(LinearRig<Half>.MixedPlan(Rows));

        Bits.AssertSame<Half>(hostedRig.Forward(x, hostedBatch), expected, "on the host's stream");
    }

    [Test]
    public void ABorrowedStreamOfTheSameDeviceSharesWeightsAndBatches()
    {
        using var rig = new LinearRig<float>(Device, 65, 96);
        float[] x = rig.X(Rows);
        using LoraBatch batch = rig.Batch(LinearRig<float>.MixedPlan(Rows));
        float[] expected = rig.Forward(x, batch);

        using DeviceStream own = Device.CreateStream();
        using DeviceStream borrowed = Device.BorrowStream(own.NativeStream);

        Bits.AssertSame<float>(rig.Forward(x, batch, borrowed), expected, "on the borrowed stream");
    }

    [Test]
    public void ADeviceOnAHostsStreamIsBatchInvariantIfAskedToBe()
    {
        using Device plain = Device.OpenOnStream("emulated", Device.DefaultStream.NativeStream);
        using Device invariant =
            Device.OpenOnStream("emulated", Device.DefaultStream.NativeStream, batchInvariant: true);

        Assert.That(plain.IsBatchInvariant, Is.False);
        Assert.That(invariant.IsBatchInvariant);
    }

    [Test]
    public void AStreamOfAnotherDeviceIsRefused()
    {
        EmulatedDevice.Configure("devices=2");
        var refused = Assert.Throws<LoraKernelsException>(
            () => Device.OpenOnStream("emulated:1", Device.DefaultStream.NativeStream).Dispose())!;

        Assert.That(refused.Status, Is.EqualTo(LoraKernelsStatus.InvalidArgument));
        Assert.That(refused.Message, Does.Contain("options.stream"));
    }
}
