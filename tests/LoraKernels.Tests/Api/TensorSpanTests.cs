using System.Numerics.Tensors;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>2-D tensor spans in and out, of any strides.</summary>
public sealed class TensorSpanTests
{
    private Device _device = null!;
    private DeviceTensor<float> _tensor = null!;

    [SetUp]
    public void Open()
    {
        _device = Device.OpenCpu();
        _tensor = _device.Upload<float>([0, 1, 2, 3, 4, 5], 2, 3);
    }

    [TearDown]
    public void Close()
    {
        _tensor.Dispose();
        _device.Dispose();
    }

    [TestCase(3, 1, Description = "dense")]
    [TestCase(5, 1, Description = "rows apart")]
    [TestCase(1, 2, Description = "transposed")]
    [TestCase(1, 3, Description = "transposed, columns apart")]
    [TestCase(8, 2, Description = "elements apart")]
    public void StridesAreFollowedBothWays(int rowStride, int columnStride)
    {
        var host = new float[16];
        Array.Fill(host, -1f);
        float[] expected = [.. host];
        for (int row = 0; row < 2; row++)
        {
            for (int column = 0; column < 3; column++)
                expected[row * rowStride + column * columnStride] = row * 3 + column;
        }

        _tensor.CopyTo(new TensorSpan<float>(host, [2, 3], [rowStride, columnStride]));
        Assert.That(host, Is.EqualTo(expected));

        using DeviceTensor<float> back = _device.Allocate<float>(2, 3);
        back.CopyFrom(new ReadOnlyTensorSpan<float>(host, [2, 3], [rowStride, columnStride]));
        Assert.That(back.ToArray(), Is.EqualTo(new float[] { 0, 1, 2, 3, 4, 5 }));
    }

    [Test]
    public void DimensionsOfOneElementHaveNoStride()
    {
        using DeviceTensor<float> column = _device.Upload<float>([1, 2, 3], 3, 1);
        using DeviceTensor<float> row = _device.Upload<float>([1, 2, 3], 1, 3);
        var apart = new float[9];
        var host = new float[3];

        column.CopyTo(new TensorSpan<float>(apart, [3, 1], [4, 0]));
        Assert.That(apart, Is.EqualTo(new float[] { 1, 0, 0, 0, 2, 0, 0, 0, 3 }));
        row.CopyTo(new TensorSpan<float>(host, [1, 3]));
        Assert.That(host, Is.EqualTo(new float[] { 1, 2, 3 }));
        row.CopyFrom(new ReadOnlyTensorSpan<float>(apart, [1, 3], [0, 4]));
        Assert.That(row.ToArray(), Is.EqualTo(new float[] { 1, 2, 3 }));
    }

    [Test]
    public void BroadcastSourceIsReadButNotWritten()
    {
        float[] row = [7, 8, 9];

        _tensor.CopyFrom(new ReadOnlyTensorSpan<float>(row, [2, 3], [0, 1]));
        Assert.That(_tensor.ToArray(), Is.EqualTo(new float[] { 7, 8, 9, 7, 8, 9 }));
        Assert.That(
            () => _tensor.CopyTo(new TensorSpan<float>(row, [2, 3], [0, 1])),
            Throws.ArgumentException.With.Message.Contains("strides [0, 1]"));
        Assert.That(row, Is.EqualTo(new float[] { 7, 8, 9 }));
    }

    [Test]
    public void ShapeMustBeTheTensors()
    {
        var host = new float[12];

        Assert.That(
            () => _tensor.CopyTo(new TensorSpan<float>(host, [3, 2])),
            Throws.ArgumentException.With.Message.Contains("destination has the shape [3, 2]")
                .And.Message.Contains("[2, 3] is needed"));
        Assert.That(
            () => _tensor.CopyFrom(new ReadOnlyTensorSpan<float>(host, [1, 2, 3])),
            Throws.ArgumentException.With.Message.Contains("source has the shape [1, 2, 3]"));
        Assert.That(
            () => _tensor.CopyFrom(new ReadOnlyTensorSpan<float>(host, [6])),
            Throws.ArgumentException.With.Message.Contains("[6]"));
    }

    [TestCase(0, 5)]
    [TestCase(5, 0)]
    public void SpanMayBeEmpty(int rows, int columns)
    {
        using DeviceTensor<float> empty = _device.Allocate<float>(rows, columns);

        var host = new float[5];

        Assert.That(() => empty.CopyTo(new TensorSpan<float>(host, [rows, columns])), Throws.Nothing);
        Assert.That(() => empty.CopyFrom(new ReadOnlyTensorSpan<float>(host, [rows, columns])), Throws.Nothing);
    }

    [Test]
    public void SlicedTensorMeetsSlicedSpan()
    {
        using DeviceTensor<float> slice = _tensor.Slice(0, 2, 1, 2);
        var host = new float[8];
        var span = new TensorSpan<float>(host, [2, 4]);

        slice.CopyTo(span.Slice([0..2, 1..3]));

        Assert.That(host, Is.EqualTo(new float[] { 0, 1, 2, 0, 0, 4, 5, 0 }));
    }

    [Test]
    public void ArraysAreTakenAsSpans()
    {
        float[] host = [5, 4, 3, 2, 1, 0];
        _tensor.CopyFrom(host);
        var back = new float[6];
        _tensor.CopyTo(back);

        Assert.That(back, Is.EqualTo(host));
    }
}
