using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Blocks and their values written out, so that the library and the reference cannot agree on an error.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class GoldenBlockTests(string deviceName) : DeviceFixture(deviceName)
{
    // All 16 codes in order, 0 first; then again.
    private static readonly byte[] AllCodesHighFirst =
        [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];

    // The map's bits times 1: what the first group must come to.
    private static readonly uint[] Nf4Bits =
    [
        0xBF800000, 0xBF3239B1, 0xBF066B30, 0xBECA32A0, 0xBE91A24D, 0xBE3D353F, 0xBDBA7871, 0x00000000,
        0x3DA2FAFF, 0x3E24CAE3, 0x3E7C04DD, 0x3EAD033A, 0x3EE1A4B8, 0x3F1007AB, 0x3F3913B3, 0x3F800000,
    ];

    [Test]
    public void Nf4HasTheMapInCodeOrderAndTheHighNibbleFirst()
    {
        WeightTensors tensors = Nf4(1, 64, 32, [.. AllCodesHighFirst, .. AllCodesHighFirst], [1f, -4f]);
        float[] values = Dequantize(tensors);

        for (int i = 0; i < 32; i++)
            Assert.That(Bits(values[i]), Is.EqualTo(Nf4Bits[i % 16]), $"element {i}");
        Assert.That(values[32], Is.EqualTo(4), "-1 * -4");
        Assert.That(Bits(values[32 + 7]), Is.EqualTo(0x80000000), "0 * -4 is -0");
        Assert.That(values[63], Is.EqualTo(-4));
    }

    [Test]
    public void Nf4GroupsRunAcrossRowsAndAnOddCountIsPadded()
    {
        // 3 x 11 = 33: element 32, the last of row 2, alone in the second group and in the high nibble of byte 16.
        byte[] codes = [.. Enumerable.Repeat((byte)0xFF, 16), 0x07];
        float[] values = Dequantize(Nf4(3, 11, 32, codes, [2f, 8f]));

        Assert.That(values[..32], Is.All.EqualTo(2));
        Assert.That(values[32], Is.EqualTo(-8));
    }

    [Test]
    public void Nf4NestedAbsmaxIsProductThenSumInFloat32()
    {
        var map = new float[256];
        (map[0x01], map[0x80], map[0xFE]) = (0.02f, 0.01f, 0.03f);
        var tensors = new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = 3,
            InFeatures = 32,
            GroupSize = 32,
            OuterGroupSize = 2,
            OuterOffset = 0.3f,
            Codes = Enumerable.Repeat((byte)0xFF, 48).ToArray(),
            Scales = new byte[] { 0x80, 0xFE, 0x01 },
            OuterTable = Bytes(map),
            OuterScales = Bytes([3.6f, 1.8f]),
        };
        float[] values = Dequantize(tensors);

        // 0.01 * 3.6 + 0.3 and 0.02 * 1.8 + 0.3 are 3EAC0831 when the product is not rounded by itself.
        Assert.That(Bits(values[0]), Is.EqualTo(0x3EAC0832));
        Assert.That(Bits(values[32]), Is.EqualTo(0x3ED0E560));
        Assert.That(Bits(values[64]), Is.EqualTo(0x3EAC0832));
    }

    [Test]
    public void Q40HasElementJInTheLowNibbleAndJPlus16InTheHigh()
    {
        // d = 0.5 with q = j in the low nibbles and 15 - j in the high ones; then d = -2^-24, the smallest there is.
        byte[] first = [0x00, 0x38, .. Enumerable.Range(0, 16).Select(j => (byte)(j | ((15 - j) << 4)))];
        byte[] second = [0x01, 0x80, .. Enumerable.Repeat((byte)0x0F, 16)];
        var tensors = new WeightTensors
        {
            Format = WeightFormat.GgufQ4_0,
            OutFeatures = 2,
            InFeatures = 32,
            GroupSize = 32,
            Codes = (byte[])[.. first, .. second],
        };
        float[] values = Dequantize(tensors);

        for (int j = 0; j < 16; j++)
        {
            Assert.That(values[j], Is.EqualTo(0.5f * (j - 8)), $"element {j}");
            Assert.That(values[16 + j], Is.EqualTo(0.5f * (7 - j)), $"element {16 + j}");
            Assert.That(values[32 + j], Is.EqualTo(-7f / (1 << 24)), $"block 1, element {j}");
            Assert.That(values[48 + j], Is.EqualTo(8f / (1 << 24)), $"block 1, element {16 + j}");
        }
    }

    [Test]
    public void DequantizeRoundsOnceAndOverflowsToInfinity()
    {
        // 1 x 32 of code 15 (1.0) with absmax on a tie, below it, above the range, and far below it.
        (float Absmax, ushort Half, ushort BFloat16)[] expected =
        [
            (1 + 1f / 2048, 0x3C00, 0x3F80),
            (1 + 3f / 2048, 0x3C02, 0x3F80),
            (1 + 1f / 256, 0x3C04, 0x3F80),
            (1 + 3f / 256, 0x3C0C, 0x3F82),
            (65519.996f, 0x7BFF, 0x4780),
            (65520, 0x7C00, 0x4780),
            (-1e6f, 0xFC00, 0xC974),
            (MathF.ScaleB(1, -24), 0x0001, 0x3380),
            (MathF.ScaleB(1, -25), 0x0000, 0x3300),
            (MathF.ScaleB(1.5f, -25), 0x0001, 0x3340),
            (MathF.ScaleB(1, -133), 0x0000, 0x0001),
        ];
        byte[] codes = [.. Enumerable.Repeat((byte)0xFF, 16 * expected.Length)];
        WeightTensors tensors =
            Nf4(expected.Length, 32, 32, codes, Array.ConvertAll(expected, item => item.Absmax));
        using QuantizedWeight weight = QuantizedWeight.Pack(Device, tensors);
        using DeviceTensor<Half> half = Device.Allocate<Half>(expected.Length, 32);
        using DeviceTensor<BFloat16> bfloat16 = Device.Allocate<BFloat16>(expected.Length, 32);
        weight.Dequantize(half);
        weight.Dequantize(bfloat16);

        for (int row = 0; row < expected.Length; row++)
        {
            Assert.That(
                BitConverter.HalfToUInt16Bits(half.ToArray()[row * 32]), Is.EqualTo(expected[row].Half),
                $"{expected[row].Absmax:R} as fp16");
            Assert.That(
                bfloat16.ToArray()[row * 32].Bits, Is.EqualTo(expected[row].BFloat16),
                $"{expected[row].Absmax:R} as bf16");
        }
    }

    private float[] Dequantize(WeightTensors tensors)
    {
        using QuantizedWeight weight = QuantizedWeight.Pack(Device, tensors);
        WeightTensors back = weight.Unpack();
        Assert.That(back.Codes.ToArray(), Is.EqualTo(tensors.Codes.ToArray()));
        Assert.That(back.Scales.ToArray(), Is.EqualTo(tensors.Scales.ToArray()));
        Assert.That(back.OuterTable.ToArray(), Is.EqualTo(tensors.OuterTable.ToArray()));
        Assert.That(back.OuterScales.ToArray(), Is.EqualTo(tensors.OuterScales.ToArray()));
        using DeviceTensor<float> values = Device.Allocate<float>(tensors.OutFeatures, tensors.InFeatures);
        weight.Dequantize(values);
        return values.ToArray();
    }

    private static WeightTensors Nf4(long outFeatures, long inFeatures, long groupSize, byte[] codes, float[] absmax) =>
        new()
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = outFeatures,
            InFeatures = inFeatures,
            GroupSize = groupSize,
            Codes = codes,
            Scales = Bytes(absmax),
        };

    private static byte[] Bytes(float[] values) => MemoryMarshal.AsBytes<float>(values).ToArray();

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}
