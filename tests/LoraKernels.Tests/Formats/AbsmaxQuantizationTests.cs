using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Quantization to a table of 16 values and the group's absmax, on every 16-bit input there is.</summary>
public abstract class AbsmaxQuantizationTests(string deviceName) : DeviceFixture(deviceName)
{
    protected const int GroupSize = QuantizationInputs.GroupSize;

    /// <summary>Plain absmax, in groups of <see cref="GroupSize"/>.</summary>
    protected abstract QuantizeOptions Options { get; }

    /// <summary>The rule, independently: two codes to a byte, and each group's absmax.</summary>
    protected abstract (byte[] Codes, float[] Absmax) Reference(float[] weights);

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

    // Of 1, whose reciprocal is exact, and of 3, whose is not.
    [TestCase(1), TestCase(-3)]
    public void EveryFloat16UpToALeader(int leader)
    {
        Half[] values = QuantizationInputs.Every16Bits(
            BitConverter.UInt16BitsToHalf, value => Half.Abs(value) <= (Half)Math.Abs(leader));
        values = QuantizationInputs.WithLeader(values, (Half)leader);
        Check(values, Array.ConvertAll(values, value => (float)value));
    }

    protected void Check<T>(T[] values, float[] asFloat)
        where T : unmanaged
    {
        using DeviceTensor<T> tensor = Device.Upload<T>(values, values.Length / GroupSize, GroupSize);
        using QuantizedWeight weight = QuantizedWeight.Quantize(tensor, Options);
        WeightTensors actual = weight.Unpack();
        (byte[] codes, float[] absmax) = Reference(asFloat);

        Assert.That(actual.Scales.Span.SequenceEqual(MemoryMarshal.AsBytes<float>(absmax)), "absmax");
        Assert.That(actual.Codes.Length, Is.EqualTo(codes.Length));
        int same = actual.Codes.Span.CommonPrefixLength(codes);
        if (same < codes.Length)
        {
            Assert.Fail($"weights {asFloat[2 * same]:R} and {asFloat[2 * same + 1]:R} of a group with absmax " +
                $"{absmax[2 * same / GroupSize]:R}: codes {actual.Codes.Span[same]:X2}, not {codes[same]:X2}");
        }
    }
}
