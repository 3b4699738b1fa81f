using NUnit.Framework;
using NUnit.Framework.Constraints;

namespace LoraKernels.Tests.Api;

/// <summary>How a layer finds its module, its bias and its device; what it computes is the suite's business.</summary>
public sealed class LinearTests
{
    private Device _device = null!;
    private LoraTable _table = null!;
    private LoadedAdapter _adapter = null!;
    private LoraBatch _batch = null!;
    private QuantizedWeight _weight = null!;
    private DeviceTensor<float> _x = null!;
    private DeviceTensor<float> _y = null!;

    [SetUp]
    public void Open()
    {
        _device = Device.OpenCpu();
        _table = Sample.Table(_device);
        _adapter = _table.Add(Sample.Adapter());
        _batch = _table.CreateBatch(Sample.Capacity);
        _batch.Set([_adapter, null]);
        _weight = Sample.Weight(_device);
        _x = _device.Upload<float>(Sample.Values(2 * Sample.InFeatures, 5), 2, Sample.InFeatures);
        _y = _device.Allocate<float>(2, Sample.OutFeatures);
    }

    [TearDown]
    public void Close()
    {
        foreach (IDisposable made in (IDisposable[])[_y, _x, _weight, _batch, _adapter, _table, _device])
            made.Dispose();
    }

    [Test]
    public void AdapterChangesItsRowsOnly()
    {
        var linear = new Linear(_weight, Sample.Plain);
        linear.Forward(_x, _y);
        float[] bare = _y.ToArray();
        linear.Forward(_x, _batch, _y);
        float[] adapted = _y.ToArray();

        Assert.That(adapted[..Sample.OutFeatures], Is.Not.EqualTo(bare[..Sample.OutFeatures]));
        Assert.That(adapted[Sample.OutFeatures..], Is.EqualTo(bare[Sample.OutFeatures..]));
    }

    [Test]
    public void LinearIsMatmulThenApply()
    {
        Kernels.Matmul(_x, _weight, null, _y);
        Kernels.LoraApply(_x, _batch, Sample.Fused, _y);
        float[] separate = _y.ToArray();
        using DeviceTensor<float> s = _device.Allocate<float>(2, Kernels.LoraShrinkColumns(_batch, Sample.Fused));
        using DeviceTensor<float> expanded = _device.Allocate<float>(2, Sample.OutFeatures);
        Kernels.Matmul(_x, _weight, null, expanded);
        Kernels.LoraShrink(_x, _batch, Sample.Fused, s);
        Kernels.LoraExpand(s, _batch, Sample.Fused, expanded);
        new Linear(_weight, Sample.Fused).Forward(_x, _batch, _y);

        Assert.That(_y.ToArray(), Is.EqualTo(separate).Within(1e-4));
        Assert.That(expanded.ToArray(), Is.EqualTo(separate).Within(1e-4));
        Assert.That(separate[..24], Is.Not.EqualTo(separate[Sample.OutFeatures..(Sample.OutFeatures + 24)]));
    }

    [Test]
    public void BiasOfAnyTypeIsAdded()
    {
        BFloat16[] values = [.. Enumerable.Range(0, Sample.OutFeatures).Select(i => (BFloat16)i)];
        using DeviceTensor<BFloat16> bias = _device.Upload<BFloat16>(values, 1, Sample.OutFeatures);
        new Linear(_weight).Forward(_x, _y);
        float[] bare = _y.ToArray();
        new Linear(_weight, bias: bias).Forward(_x, _y);

        Assert.That(
            _y.ToArray(), Is.EqualTo(bare.Select((value, i) => value + i % Sample.OutFeatures)).Within(1e-4));
        Kernels.Matmul(_x, _weight, bias, _y);
        Assert.That(_y.ToArray()[1], Is.EqualTo(bare[1] + 1).Within(1e-4));
    }

    [Test]
    public void BiasHasTheWeightsWidth()
    {
        using DeviceTensor<float> bias = _device.Allocate<float>(2, Sample.OutFeatures);

        Assert.That(
            () => new Linear(_weight, bias: bias),
            Throws.ArgumentException.With.Message.Contains("bias is [2, 48]; [1, 48] is needed"));
    }

    [Test]
    public void LayerThatTheTableLacksIsNamedWithThoseItHas()
    {
        Assert.That(
            () => new Linear(_weight, "lm_head").Forward(_x, _batch, _y),
            Throws.InvalidOperationException.With.Message.EqualTo(
                $"layer 'lm_head': the table has no module 'lm_head'; it has '{Sample.Plain}', '{Sample.Fused}'"));
        Assert.That(
            () => new Linear(_weight, Sample.Query).Forward(_x, _batch, _y),
            Throws.InvalidOperationException.With.Message.Contains($"slice 0 of the fused module '{Sample.Fused}'"));
        Assert.That(
            () => new Linear(_weight).Forward(_x, _batch, _y),
            Throws.InvalidOperationException.With.Message.Contains("without a module name"));
        Assert.That(
            () => Kernels.LoraApply(_x, _batch, "lm_head", _y),
            Throws.ArgumentException.With.Message.Contains("the table has no module 'lm_head'"));
    }

    [Test]
    public void LongListsOfModulesAreCutShort()
    {
        using var table = new LoraTable(
            _device, Enumerable.Range(0, 50).Select(i => new LoraModule($"layer.{i}", 8, 8)));
        using LoraBatch batch = table.CreateBatch(Sample.Capacity);

        Assert.That(
            () => Kernels.LoraShrinkColumns(batch, "x"),
            Throws.ArgumentException.With.Message.Contains("'layer.19' and 30 more"));
    }

    [Test]
    public void ModuleHasTheWeightsShape()
    {
        using QuantizedWeight other = Sample.Weight(_device, 32, 64);

        Assert.That(
            () => new Linear(other, Sample.Plain).Forward(_x, _batch, _y),
            Throws.InvalidOperationException.With.Message.Contains("is [48, 64], the layer's weight is [32, 64]"));
    }

    [Test]
    public void LayerFindsItsModuleInEveryTable()
    {
        using var shifted = new LoraTable(_device, [new LoraModule("other", 8, 8), .. Sample.Modules()]);
        using LoadedAdapter adapter = shifted.Add(Sample.Adapter());
        using LoraBatch batch = shifted.CreateBatch(Sample.Capacity);
        batch.Set([adapter, null]);
        var linear = new Linear(_weight, Sample.Plain);

        linear.Forward(_x, _batch, _y);
        float[] first = _y.ToArray();
        linear.Forward(_x, batch, _y);
        Assert.That(_y.ToArray(), Is.EqualTo(first));
        linear.Forward(_x, _batch, _y);
        Assert.That(_y.ToArray(), Is.EqualTo(first));
    }

    [Test]
    public void ForwardAllocatesNothing()
    {
        var linear = new Linear(_weight, Sample.Plain);
        for (int i = 0; i < 50; i++)
            linear.Forward(_x, _batch, _y);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            linear.Forward(_x, _batch, _y);
            Kernels.LoraApply(_x, _batch, Sample.Plain, _y);
        }
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void MissingOrDisposedArgumentsAreNamed()
    {
        var linear = new Linear(_weight, Sample.Plain);
        using DeviceTensor<float> gone = _device.Allocate<float>(2, Sample.OutFeatures);
        gone.Dispose();

        Assert.That(() => linear.Forward(null!, _y), Lacks("x"));
        Assert.That(() => linear.Forward(_x, null!), Lacks("y"));
        Assert.That(() => linear.Forward(_x, null!, _y), Lacks("batch"));
        Assert.That(() => linear.Forward(_x, _batch, gone), Fails.AsDisposed(nameof(DeviceTensor)));
        _batch.Dispose();
        Assert.That(() => linear.Forward(_x, _batch, _y), Fails.AsDisposed(nameof(LoraBatch)));
        _weight.Dispose();
        Assert.That(() => linear.Forward(_x, _y), Fails.AsDisposed(nameof(QuantizedWeight)));
        Assert.That(() => new Linear(null!), Throws.ArgumentNullException);
        Assert.That(() => new Linear(_weight, ""), Throws.ArgumentException);
    }

    private static EqualStringConstraint Lacks(string argument) =>
        Throws.ArgumentNullException.With.Property(nameof(ArgumentNullException.ParamName)).EqualTo(argument);
}
