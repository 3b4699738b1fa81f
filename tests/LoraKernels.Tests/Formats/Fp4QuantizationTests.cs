using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Quantization to FP4 against bitsandbytes' tree of comparisons, on every 16-bit input there is.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class Fp4QuantizationTests(string deviceName) : DeviceFixture(deviceName)
{
    private const int GroupSize = QuantizationInputs.GroupSize;

    private static readonly float[] Borders =
        [0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f];

    [Test]
    public void EveryFiniteFloat16AmongItsNeighbours()
    {
        Half[] values = QuantizationInputs.Every16Bits(BitConverter.UInt16BitsToHalf, Half.IsFinite);
        Check(values, Array.ConvertAll(values, value => (float)value));
    }

    [Test]
    public void EveryFiniteBFloat16AmongItsNeighbours()
    {
        float[] values = QuantizationInputs.Every16Bits(ReferenceRounding.FromBFloat16Bits, float.IsFinite);
        Check(Array.ConvertAll(values, value => (BFloat16)value), values);
    }

    [TestCase(1), TestCase(-3)]
    public void EveryFloat16UpToALeader(int leader)
    {
        Half[] values = QuantizationInputs.Every16Bits(
            BitConverter.UInt16BitsToHalf, value => Half.Abs(value) <= (Half)Math.Abs(leader));
        values = QuantizationInputs.WithLeader(values, (Half)leader);
        Check(values, Array.ConvertAll(values, value => (float)value));
    }

    [Test]
    public void WeightsOnAndBesideEveryBorderOfBothSigns()
    {
        var values = new List<float>();
        foreach (float border in Borders)
        {
            foreach (float sign in (float[])[1, -1])
                values.AddRange([sign * border, sign * MathF.BitIncrement(border), sign * MathF.BitDecrement(border)]);
        }

        values.AddRange([0, -0.0f, 1e-45f, -1e-45f]);
        while (values.Count % (GroupSize - 1) != 0)
            values.Add(1);
        float[] weights = QuantizationInputs.WithLeader<float>([.. values], 1);
        Check(weights, weights);
    }

    [Test]
    public void AllZeroWeightsHaveTheCodeOfZero()
    {
        using DeviceTensor<float> zeros = Device.Upload<float>(new float[99], 3, 33);
        using QuantizedWeight weight = QuantizedWeight.Quantize(zeros, QuantizeOptions.Fp4(GroupSize, nested: false));
        WeightTensors tensors = weight.Unpack();

        Assert.That(tensors.Codes.ToArray(), Is.All.Zero);
        Assert.That(tensors.Scales.ToArray(), Is.All.Zero);
    }

    private void Check<T>(T[] values, float[] asFloat)
        where T : unmanaged
    {
        using DeviceTensor<T> tensor = Device.Upload<T>(values, values.Length / GroupSize, GroupSize);
        using QuantizedWeight weight = QuantizedWeight.Quantize(tensor, QuantizeOptions.Fp4(GroupSize, nested: false));
        WeightTensors actual = weight.Unpack();
        (byte[] codes, float[] absmax) = ReferenceFp4.Quantize(asFloat, GroupSize);

        Assert.That(actual.Scales.Span.SequenceEqual(MemoryMarshal.AsBytes<float>(absmax)), "absmax");
        int wrong = actual.Codes.Span.CommonPrefixLength(codes);
        Assert.That(wrong, Is.EqualTo(codes.Length), () => $"weights {asFloat[2 * wrong]:R} and {asFloat[2 * wrong + 1]:R}");
    }
}
