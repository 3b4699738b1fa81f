using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>
/// The one rounding at the end of every op. With x = 0 the result is the bias in fp32, so any number can be sent through.
/// </summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class RoundingTests(string deviceName) : DeviceFixture(deviceName)
{
    [Test]
    public void Float16AtAndBesideEveryTieAndPastTheRange()
    {
        var values = new List<float>();
        for (int bits = 0; bits < 0x7C00; bits++)
        {
            float low = ReferenceRounding.FromFloat16Bits((ushort)bits);
            float high = bits == 0x7BFF ? 65536 : ReferenceRounding.FromFloat16Bits((ushort)(bits + 1));
            AddAround(values, (low + high) / 2);
        }

        values.AddRange([1e6f, -1e6f, 65536, float.MaxValue, 1e-30f]);
        Half[] rounded = Round<Half>(values);
        for (int i = 0; i < rounded.Length; i++)
        {
            Assert.That(
                BitConverter.HalfToUInt16Bits(rounded[i]), Is.EqualTo(ReferenceRounding.ToFloat16Bits(values[i])),
                $"{values[i]:R}");
        }
    }

    [Test]
    public void BFloat16AtAndBesideEveryTieAndPastTheRange()
    {
        var values = new List<float>();
        for (uint bits = 0; bits < 0x7F80; bits++)
            AddAround(values, BitConverter.UInt32BitsToSingle((bits << 16) | 0x8000));
        values.Add(float.MaxValue);
        BFloat16[] rounded = Round<BFloat16>(values);
        for (int i = 0; i < rounded.Length; i++)
            Assert.That(rounded[i].Bits, Is.EqualTo(ReferenceRounding.ToBFloat16Bits(values[i])), $"{values[i]:R}");
    }

    [Test]
    public void SubnormalsOfFloat32AreKept()
    {
        float[] values = [float.Epsilon, -float.Epsilon, 1e-40f, MathF.BitDecrement(1.17549435e-38f)];
        Bits.AssertSame<float>(Round<float>([.. values]), values, "bias");
    }

    private static void AddAround(List<float> values, float tie) =>
        values.AddRange([MathF.BitDecrement(tie), tie, MathF.BitIncrement(tie), -tie]);

    private T[] Round<T>(List<float> values)
        where T : unmanaged
    {
        const int InFeatures = 32;
        var tensors = new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = values.Count,
            InFeatures = InFeatures,
            GroupSize = InFeatures,
            Codes = new byte[values.Count * 18],
        };
        using QuantizedWeight weight = QuantizedWeight.Pack(Device, tensors);
        using DeviceTensor<float> bias = Device.Upload<float>(CollectionsMarshal.AsSpan(values), 1, values.Count);
        using DeviceTensor<T> x = Device.Upload<T>(new T[InFeatures], 1, InFeatures);
        using DeviceTensor<T> y = Device.Allocate<T>(1, values.Count);
        Kernels.Matmul(x, weight, bias, y);
        return y.ToArray();
    }
}
