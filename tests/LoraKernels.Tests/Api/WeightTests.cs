using System.Runtime.InteropServices;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Weights in and out; the bits themselves are the business of the format tests.</summary>
public sealed class WeightTests
{
    private Device _device = null!;

    [SetUp]
    public void Open() => _device = Device.OpenCpu();

    [TearDown]
    public void Close() => _device.Dispose();

    [TestCase(true, 256)]
    [TestCase(false, 0)]
    public void QuantizedWeightUnpacksAndPacksToTheSameBytes(bool nested, long outerGroupSize)
    {
        using DeviceTensor<float> w = _device.Upload<float>(Sample.Values(30 * 70, 3), 30, 70);
        using QuantizedWeight weight = QuantizedWeight.Quantize(w, QuantizeOptions.Nf4(32, nested));
        WeightTensors tensors = weight.Unpack();
        using QuantizedWeight again = QuantizedWeight.Pack(_device, tensors);

        Assert.That(tensors.Format, Is.EqualTo(WeightFormat.BitsAndBytesNf4));
        Assert.That((tensors.OutFeatures, tensors.InFeatures), Is.EqualTo((30, 70)));
        Assert.That((tensors.GroupSize, tensors.OuterGroupSize), Is.EqualTo((32, outerGroupSize)));
        Assert.That(tensors.Codes.Length, Is.EqualTo(30 * 70 / 2));
        AssertSame(again.Unpack(), tensors);
        Assert.That(again.PackedBytes, Is.EqualTo(weight.PackedBytes).And.GreaterThan(0));
        Assert.That(weight.ToString(), Is.EqualTo($"BitsAndBytesNf4 [30, 70] on {_device}"));
        Assert.That(
            (again.Format, again.OutFeatures, again.InFeatures, again.GroupSize, again.OuterGroupSize),
            Is.EqualTo((weight.Format, 30L, 70L, 32L, outerGroupSize)));
    }

    [Test]
    public void TensorsMayLieAtAnyAlignment()
    {
        using QuantizedWeight weight = Sample.Weight(_device);
        WeightTensors tensors = weight.Unpack();
        var odd = new WeightTensors
        {
            Format = tensors.Format,
            OutFeatures = tensors.OutFeatures,
            InFeatures = tensors.InFeatures,
            GroupSize = tensors.GroupSize,
            OuterGroupSize = tensors.OuterGroupSize,
            OuterOffset = tensors.OuterOffset,
            Codes = AtOddAddress(tensors.Codes),
            Scales = AtOddAddress(tensors.Scales),
            Table = AtOddAddress(tensors.Table),
            OuterTable = AtOddAddress(tensors.OuterTable),
            OuterScales = AtOddAddress(tensors.OuterScales),
        };

        using QuantizedWeight again = QuantizedWeight.Pack(_device, odd);
        AssertSame(again.Unpack(), tensors);
    }

    [Test]
    public void DequantizedWeightIsNearTheOriginal()
    {
        float[] values = Sample.Values(8 * 64, 7);
        using DeviceTensor<float> w = _device.Upload<float>(values, 8, 64);
        using QuantizedWeight weight = QuantizedWeight.Quantize(w);
        using DeviceTensor<float> single = _device.Allocate<float>(8, 64);
        using DeviceTensor<Half> half = _device.Allocate<Half>(8, 64);

        weight.Dequantize(single);
        weight.Dequantize(half);

        // Half the widest gap between two NF4 levels, at an absmax below 1.
        Assert.That(single.ToArray(), Is.EqualTo(values).Within(0.16));
        Assert.That(half.ToArray(), Is.EqualTo(single.ToArray().Select(value => (Half)value)));
        using DeviceTensor<float> small = _device.Allocate<float>(8, 63);
        Assert.That(() => weight.Dequantize(small), Fails.With(LoraKernelsStatus.ShapeMismatch));
    }

    [Test]
    public void PackedQ4WeightKeepsItsBytes()
    {
        byte[] blocks = new byte[2 * 18];
        new Random(4).NextBytes(blocks);
        MemoryMarshal.Write(blocks, (Half)0.5);
        MemoryMarshal.Write(blocks.AsSpan(18), (Half)(-2));
        var tensors = new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = 2,
            InFeatures = 32,
            GroupSize = 32,
            Codes = blocks,
        };

        using QuantizedWeight weight = QuantizedWeight.Pack(_device, tensors);
        AssertSame(weight.Unpack(), tensors);
    }

    [Test]
    public void DisposedWeightIsRefused()
    {
        QuantizedWeight weight = Sample.Weight(_device);
        weight.Dispose();
        weight.Dispose();

        Assert.That(() => weight.Unpack(), Fails.AsDisposed(nameof(QuantizedWeight)));
        Assert.That(weight.OutFeatures, Is.EqualTo(Sample.OutFeatures));
    }

    private static ReadOnlyMemory<byte> AtOddAddress(ReadOnlyMemory<byte> bytes)
    {
        var shifted = new byte[bytes.Length + 1];
        bytes.CopyTo(shifted.AsMemory(1));
        return shifted.AsMemory(1);
    }

    private static void AssertSame(WeightTensors actual, WeightTensors expected)
    {
        Assert.That(actual.OuterOffset, Is.EqualTo(expected.OuterOffset));
        Assert.That(actual.Codes.ToArray(), Is.EqualTo(expected.Codes.ToArray()));
        Assert.That(actual.Scales.ToArray(), Is.EqualTo(expected.Scales.ToArray()));
        Assert.That(actual.Table.ToArray(), Is.EqualTo(expected.Table.ToArray()));
        Assert.That(actual.OuterTable.ToArray(), Is.EqualTo(expected.OuterTable.ToArray()));
        Assert.That(actual.OuterScales.ToArray(), Is.EqualTo(expected.OuterScales.ToArray()));
    }
}
