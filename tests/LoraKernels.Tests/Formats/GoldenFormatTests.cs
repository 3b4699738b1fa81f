using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Every format but NF4 and Q4_0: small tensors and their values written out, for library and reference.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class GoldenFormatTests(string deviceName) : DeviceFixture(deviceName)
{
    private static readonly float[] E2M1 = [0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0f, -0.5f, -1, -1.5f, -2, -3, -4, -6];

    // All 16 codes in order, twice, the first of two in the low nibble.
    private static readonly byte[] AllCodesLowFirst =
        [0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE, 0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE];

    [Test]
    public void Fp4HasItsMapInCodeOrder()
    {
        uint[] bits =
        [
            0x00000000, 0x3BAAAAAB, 0x3F2AAAAB, 0x3F800000, 0x3EAAAAAB, 0x3F000000, 0x3E2AAAAB, 0x3E800000,
            0x80000000, 0xBBAAAAAB, 0xBF2AAAAB, 0xBF800000, 0xBEAAAAAB, 0xBF000000, 0xBE2AAAAB, 0xBE800000,
        ];
        float[] expected = Array.ConvertAll<uint, float>([.. bits, .. bits], BitConverter.UInt32BitsToSingle);
        Check(expected, new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesFp4,
            OutFeatures = 1,
            InFeatures = 32,
            GroupSize = 32,
            Codes = Array.ConvertAll(AllCodesLowFirst, pair => (byte)(pair << 4 | pair >> 4)),
            Scales = Bytes([1f]),
        });
    }

    [Test]
    public void Q41AddsTheMinimum()
    {
        // d = 0.5, m = -1; q = j in the low nibbles, 15 - j in the high ones.
        byte[] block = [0x00, 0x38, 0x00, 0xBC, .. Enumerable.Range(0, 16).Select(j => (byte)(j | ((15 - j) << 4)))];
        float[] expected =
            [.. Enumerable.Range(0, 16).Select(j => 0.5f * j - 1), .. Enumerable.Range(0, 16).Select(j => 6.5f - 0.5f * j)];
        Check(expected, Gguf(WeightFormat.GgufQ4_1, 32, block));
    }

    [Test]
    public void Iq4NlHasATableOfIntegers()
    {
        byte[] block = [0x00, 0x40, .. Enumerable.Range(0, 16).Select(j => (byte)(j | ((15 - j) << 4)))];
        float[] twice = [-254, -208, -166, -130, -98, -70, -44, -20, 2, 26, 50, 76, 106, 138, 178, 226];
        Check([.. twice, .. twice.Reverse()], Gguf(WeightFormat.GgufIq4Nl, 32, block));
    }

    [Test]
    public void Q4KHasSixBitScalesAndMinimumsInTwelveBytes()
    {
        // d = 1, dmin = 0.5.
        int[] scales = [1, 2, 3, 4, 0x11, 0x21, 0x31, 0x3F];
        int[] minimums = [0, 1, 2, 3, 0x15, 0x2A, 0x2F, 0x3E];
        byte[] bits = [0x41, 0x82, 0xC3, 0xC4, 0x40, 0x81, 0x82, 0xC3, 0x51, 0xA1, 0xF1, 0xEF];
        // Group 2i has the code 3 + i, group 2i + 1 has 12 - i.
        byte[] codes = [.. Enumerable.Range(0, 128).Select(j => (byte)(((12 - j / 32) << 4) | (3 + j / 32)))];
        float[] expected =
        [
            .. Enumerable.Range(0, 256).Select(k => k / 32).Select(group =>
                scales[group] * (group % 2 == 0 ? 3 + group / 2 : 12 - group / 2) - 0.5f * minimums[group]),
        ];
        Check(expected, Gguf(WeightFormat.GgufQ4_K, 256, [0x00, 0x3C, 0x00, 0x38, .. bits, .. codes]));
    }

    [TestCase(false, false)]
    [TestCase(true, false)]
    [TestCase(false, true)]
    [TestCase(true, true)]
    public void Int4IsPackedAlongKAndItsZeroPointsAlongN(bool hasZeroPoints, bool actOrder)
    {
        // 9 x 44: groups of 32 and 12; with act-order every fourth k is of the second one, and k = 1.
        const int N = 9, K = 44, Words = 6;
        int[] groups = [.. Enumerable.Range(0, K).Select(k => actOrder ? (k % 4 == 3 || k == 1 ? 1 : 0) : k / 32)];
        var codes = new uint[N * Words];
        var zeroPoints = new uint[2 * 2];
        var scales = new float[N * 2];
        var expected = new float[N * K];
        for (int n = 0; n < N; n++)
        {
            for (int g = 0; g < 2; g++)
            {
                scales[n * 2 + g] = g == 0 ? n + 1 : -0.5f * (n + 1);
                zeroPoints[n / 8 * 2 + g] |= (uint)((3 * n + g) % 16) << (4 * (n % 8));
            }

            for (int k = 0; k < K; k++)
            {
                int code = (n + 5 * k) % 16;
                codes[n * Words + k / 8] |= (uint)code << (4 * (k % 8));
                int zero = hasZeroPoints ? (3 * n + groups[k]) % 16 : 8;
                expected[n * K + k] = (code - zero) * scales[n * 2 + groups[k]];
            }
        }

        Check(expected, new WeightTensors
        {
            Format = WeightFormat.Int4Packed,
            OutFeatures = N,
            InFeatures = K,
            GroupSize = 32,
            ScaleDType = DType.BFloat16,
            Codes = Bytes(codes),
            Scales = Bytes(Array.ConvertAll(scales, value => (BFloat16)value)),
            ZeroPoints = hasZeroPoints ? Bytes(zeroPoints) : [],
            GroupIndex = actOrder ? Bytes(groups) : [],
        });
    }

    [Test]
    public void Mxfp4ScalesByPowersOfTwo()
    {
        // 2^0, 2^-127, which is subnormal, and 2^127, where 2 and more overflow.
        float[] values = [.. E2M1, .. E2M1];
        Check(
            [
                .. values, .. values.Select(value => value * MathF.ScaleB(1, -127)),
                .. values.Select(value => value * MathF.ScaleB(1, 127)),
            ],
            new WeightTensors
            {
                Format = WeightFormat.Mxfp4,
                OutFeatures = 3,
                InFeatures = 32,
                GroupSize = 32,
                Codes = (byte[])[.. AllCodesLowFirst, .. AllCodesLowFirst, .. AllCodesLowFirst],
                Scales = new byte[] { 127, 0, 254 },
            });
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Nvfp4RoundsItsTwoScalesToOneFirst(bool divides)
    {
        // E4M3: 1, the largest, the smallest subnormal, 0, and 1.875.
        byte[] scales = [0x38, 0x7E, 0x01, 0x00, 0x3F];
        float[] decoded = [1, 448, 1 / 512f, 0, 1.875f];
        const float TensorScale = 0.3f;
        Check(
            [.. decoded.SelectMany(scale => E2M1.Select(value => value * (divides ? scale / TensorScale : scale * TensorScale)))],
            new WeightTensors
            {
                Format = WeightFormat.Nvfp4,
                OutFeatures = 5,
                InFeatures = 16,
                GroupSize = 16,
                TensorScale = TensorScale,
                TensorScaleDivides = divides,
                Codes = (byte[])[.. Enumerable.Repeat(AllCodesLowFirst[..8], 5).SelectMany(codes => codes)],
                Scales = scales,
            });
    }

    private void Check(float[] expected, WeightTensors tensors)
    {
        using QuantizedWeight weight = QuantizedWeight.Pack(Device, tensors);
        using DeviceTensor<float> values = Device.Allocate<float>(tensors.OutFeatures, tensors.InFeatures);
        weight.Dequantize(values);
        AssertBits(values.ToArray(), expected, "library");
        AssertBits(ReferenceBridge.Weight(tensors).Decode(), expected, "reference");
        Assert.That(weight.Unpack().Codes.ToArray(), Is.EqualTo(tensors.Codes.ToArray()));
    }

    private static void AssertBits(float[] actual, float[] expected, string what) => Assert.That(
        Array.ConvertAll(actual, BitConverter.SingleToUInt32Bits),
        Is.EqualTo(Array.ConvertAll(expected, BitConverter.SingleToUInt32Bits)), what);

    private static WeightTensors Gguf(WeightFormat format, long inFeatures, byte[] block) => new()
    {
        Format = format,
        OutFeatures = 1,
        InFeatures = inFeatures,
        GroupSize = 32,
        Codes = block,
    };

    private static byte[] Bytes<T>(T[] values)
        where T : unmanaged => MemoryMarshal.AsBytes<T>(values).ToArray();
}
