using LoraKernels.Tests.Operations;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>A destination that shares memory with an input is refused; interleaved columns are not sharing.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class AliasingTests(string deviceName) : DeviceFixture(deviceName)
{
    private const int Rows = 4;
    private const int Features = 64;

    private LinearRig<float> _rig = null!;

    [OneTimeSetUp]
    public void CreateLayer() => _rig = new LinearRig<float>(Device, Features, Features);

    protected override void Dispose(bool disposing)
    {
        _rig?.Dispose();
        base.Dispose(disposing);
    }

    [Test]
    public void XAndYInTheSameMemory()
    {
        using DeviceTensor<float> x = Device.Upload<float>(new float[Rows * Features], Rows, Features);
        using LoraBatch batch = _rig.Batch(LinearRig<float>.MixedPlan(Rows));

        AssertRefused(() => Kernels.Matmul(x, _rig.Linear.Weight, null, x));
        AssertRefused(() => _rig.Linear.Forward(x, x));
        AssertRefused(() => _rig.Linear.Forward(x, batch, x));
        AssertRefused(() => Kernels.LoraApply(x, batch, LinearRig<float>.ModuleName, x));
    }

    [Test]
    public void OneSharedElement()
    {
        // x ends with the element that y starts with.
        using DeviceTensor<float> flat =
            Device.Upload<float>(new float[2 * Rows * Features], 1, 2 * Rows * Features);
        using DeviceTensor<float> x = DeviceTensor<float>.Borrow(Device, flat.Data, Rows, Features, Features);
        nint last = flat.Data + (Rows * Features - 1) * sizeof(float);
        using DeviceTensor<float> touching = DeviceTensor<float>.Borrow(Device, last, Rows, Features, Features);
        using DeviceTensor<float> after =
            DeviceTensor<float>.Borrow(Device, last + sizeof(float), Rows, Features, Features);

        AssertRefused(() => _rig.Linear.Forward(x, touching));
        AssertRefused(() => _rig.Linear.Forward(touching, x));
        Assert.That(() => _rig.Linear.Forward(x, after), Throws.Nothing);
    }

    [Test]
    public void ColumnsThatOverlapByOne()
    {
        using DeviceTensor<float> both = Device.Upload<float>(new float[Rows * 2 * Features], Rows, 2 * Features);
        using DeviceTensor<float> x = both.SliceColumns(0, Features);
        using DeviceTensor<float> y = both.SliceColumns(Features - 1, Features);

        AssertRefused(() => _rig.Linear.Forward(x, y));
    }

    [Test]
    public void BiasInsideY()
    {
        using DeviceTensor<float> x = Device.Upload<float>(new float[Rows * Features], Rows, Features);
        using DeviceTensor<float> y = Device.Upload<float>(new float[Rows * Features], Rows, Features);
        using DeviceTensor<float> bias = y.SliceRows(Rows - 1, 1);

        AssertRefused(() => Kernels.Matmul(x, _rig.Linear.Weight, bias, y));
        AssertRefused(() => new Linear(_rig.Linear.Weight, null, bias).Forward(x, y));
    }

    [Test]
    public void ShrinkAndExpandIntoTheirInput()
    {
        using LoraBatch batch = _rig.Batch(LinearRig<float>.MixedPlan(Rows));
        long columns = Kernels.LoraShrinkColumns(batch, LinearRig<float>.ModuleName);
        using DeviceTensor<float> memory = Device.Upload<float>(new float[64 * 256], 64, 256);
        using DeviceTensor<float> x = memory.Slice(0, Rows, 0, Features);
        using DeviceTensor<float> s = memory.Slice(0, batch.Entries, Features - 1, columns);

        AssertRefused(() => Kernels.LoraShrink(x, batch, LinearRig<float>.ModuleName, s));
        AssertRefused(() => Kernels.LoraExpand(s, batch, LinearRig<float>.ModuleName, x));
    }

    [Test]
    public void InterleavedColumnsAreAllowedAndRight()
    {
        float[] values = _rig.X(Rows);
        var plan = LinearRig<float>.MixedPlan(Rows);
        using LoraBatch batch = _rig.Batch(plan);
        using DeviceTensor<float> both = Device.Upload<float>(new float[Rows * 2 * Features], Rows, 2 * Features);
        using DeviceTensor<float> x = both.SliceColumns(Features, Features);
        using DeviceTensor<float> y = both.SliceColumns(0, Features);
        x.CopyFrom(values);
        _rig.Linear.Forward(x, batch, y);

        Bits.AssertSame<float>(y.ToArray(), _rig.Forward(values, plan), "y");
        Bits.AssertSame<float>(x.ToArray(), values, "x");
    }

    private static void AssertRefused(Action call)
    {
        LoraKernelsException? exception = Assert.Throws<LoraKernelsException>(() => call());
        Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.Overlap));
    }
}
