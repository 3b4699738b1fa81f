using System.Runtime.InteropServices;
using LoraKernels.Tests.Operations;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Quantization to int4 against compressed-tensors' rule, on every 16-bit input there is.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class Int4QuantizationTests(string deviceName) : DeviceFixture(deviceName)
{
    private const int GroupSize = QuantizationInputs.GroupSize;

    [Test]
    public void EveryFiniteFloat16AmongItsNeighbours([Values] bool zeroPoints)
    {
        Half[] values = QuantizationInputs.Every16Bits(BitConverter.UInt16BitsToHalf, Half.IsFinite);
        Check(values, Array.ConvertAll(values, value => (float)value), GroupSize, zeroPoints, ReferenceDType.F16);
    }

    [Test]
    public void EveryModerateBFloat16AmongItsNeighbours([Values] bool zeroPoints)
    {
        float[] values = QuantizationInputs.Every16Bits(
            ReferenceRounding.FromBFloat16Bits, value => MathF.Abs(value) < 1e38f);
        Check(Array.ConvertAll(values, value => (BFloat16)value), values, GroupSize, zeroPoints, ReferenceDType.BF16);
    }

    [Test]
    public void EveryFloat16UpToALeader([Values] bool zeroPoints, [Values(3, -7.5, 0.1)] double leader)
    {
        Half[] values = QuantizationInputs.Every16Bits(
            BitConverter.UInt16BitsToHalf, value => Half.Abs(value) <= Half.Abs((Half)leader));
        values = QuantizationInputs.WithLeader(values, (Half)leader);
        Check(values, Array.ConvertAll(values, value => (float)value), GroupSize, zeroPoints, ReferenceDType.F32);
    }

    // Quotients of exactly a half, and the floats beside them; scales that have no exact reciprocal.
    [Test]
    public void TiesGoToTheEvenCodeByDivision()
    {
        var random = new Random(11);
        var values = new List<float>();
        for (int group = 0; group < 500; group++)
        {
            float largest = MathF.Pow(2, 20 * random.NextSingle() - 10);
            float scale = largest / 7.5f;
            values.Add(largest);
            for (int i = 1; i < GroupSize; i++)
            {
                float value = (random.Next(-7, 7) + 0.5f) * scale;
                for (int step = random.Next(-2, 3); step != 0; step -= Math.Sign(step))
                    value = step > 0 ? MathF.BitIncrement(value) : MathF.BitDecrement(value);
                values.Add(value);
            }
        }

        float[] weights = [.. values];
        int sensitive = weights.Where((w, i) =>
        {
            float scale = weights[i / GroupSize * GroupSize] / 7.5f;
            return MathF.Round(w * (1 / scale)) != MathF.Round(w / scale);
        }).Count();
        Assert.That(sensitive, Is.Positive, "the inputs must tell division from the reciprocal");
        Check(weights, weights, GroupSize, false, ReferenceDType.F32);
    }

    [Test]
    public void GroupsOfAnySizeAndRowsThatDoNotFillThem(
        [Values] bool zeroPoints, [Values(32, 64, 96, 128, 5003)] int groupSize, [Values(5003, 96)] int columns)
    {
        if (groupSize > columns) groupSize = columns;
        var random = new Random(columns + groupSize);
        float[] values = [.. Enumerable.Range(0, 9 * columns).Select(_ => random.NextSingle() * 4 - 1)];
        Check(values, values, groupSize, zeroPoints, ReferenceDType.BF16, columns);
    }

    [Test]
    public void ZerosAndWhatIsTooSmallForTheScalesTypeHaveItsEpsilon([Values] bool zeroPoints)
    {
        float[] values = [.. new float[32], .. Enumerable.Repeat(1e-9f, 32), .. Enumerable.Repeat(-1e-9f, 32)];
        Check(values, values, GroupSize, zeroPoints, ReferenceDType.F16, 96);
    }

    [TestCase(float.NaN), TestCase(float.PositiveInfinity), TestCase(float.NegativeInfinity)]
    public void AWeightThatIsNotFiniteIsNamedByRowAndColumn(float bad)
    {
        var values = new float[7 * 70];
        values[2 * 70 + 67] = bad;
        values[4 * 70] = bad;
        using DeviceTensor<float> tensor = Device.Upload<float>(values, 7, 70);
        foreach (bool zeroPoints in (bool[])[false, true])
        {
            LoraKernelsException? exception = Assert.Throws<LoraKernelsException>(
                () => QuantizedWeight.Quantize(tensor, QuantizeOptions.Int4(32, zeroPoints)).Dispose());
            Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.InvalidArgument));
            Assert.That(exception.Message, Does.Contain("[2, 67]"));
        }
    }

    [Test]
    public void AScaleBeyondItsTypeIsNamedByItsGroup()
    {
        var values = new float[3 * 64];
        values[64 + 40] = 1e6f;
        using DeviceTensor<float> tensor = Device.Upload<float>(values, 3, 64);
        LoraKernelsException? exception = Assert.Throws<LoraKernelsException>(() => QuantizedWeight.Quantize(
            tensor, QuantizeOptions.Int4(32) with { ScaleDType = DType.Float16 }).Dispose());

        Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.InvalidArgument));
        Assert.That(exception.Message, Does.Contain("[1, 32 ... 63]").And.Contain("f16"));
    }

    [Test]
    public void OptionsThatAFormatDoesNotHaveAreNamed()
    {
        using DeviceTensor<float> w = Device.Upload<float>(new float[64], 1, 64);
        Refused(QuantizeOptions.Int4(33), "group_size");
        Refused(QuantizeOptions.Int4(32) with { OuterGroupSize = 256 }, "outer_group_size");
        Refused(QuantizeOptions.Nf4() with { HasZeroPoints = true }, "has_zero_points");
        Refused(QuantizeOptions.Nf4() with { ScaleDType = DType.BFloat16 }, "scale_dtype");
        Refused(QuantizeOptions.Nf4() with { OuterGroupSize = 255 }, "outer_group_size");

        void Refused(QuantizeOptions options, string named)
        {
            LoraKernelsException? exception =
                Assert.Throws<LoraKernelsException>(() => QuantizedWeight.Quantize(w, options).Dispose());
            Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.InvalidArgument));
            Assert.That(exception.Message, Does.Contain(named));
        }
    }

    private void Check<T>(
        T[] values, float[] asFloat, int groupSize, bool zeroPoints, ReferenceDType scaleType, int columns = GroupSize)
        where T : unmanaged
    {
        int rows = values.Length / columns;
        DType dtype = scaleType switch
        {
            ReferenceDType.F16 => DType.Float16,
            ReferenceDType.BF16 => DType.BFloat16,
            _ => DType.Float32,
        };
        using DeviceTensor<T> tensor = Device.Upload<T>(values, rows, columns);
        using QuantizedWeight weight = QuantizedWeight.Quantize(
            tensor, QuantizeOptions.Int4(groupSize, zeroPoints) with { ScaleDType = dtype });
        WeightTensors actual = weight.Unpack();
        (uint[] codes, float[] scales, uint[] zeros) =
            ReferenceInt4Quantizer.Quantize(asFloat, rows, columns, groupSize, zeroPoints, scaleType);

        Assert.That(new HostMatrix(actual.Scales, 1, scales.Length, dtype).ToSingles(), Is.EqualTo(scales));
        Assert.That(MemoryMarshal.Cast<byte, uint>(actual.Codes.Span).ToArray(), Is.EqualTo(codes));
        Assert.That(
            MemoryMarshal.Cast<byte, uint>(actual.ZeroPoints.Span).ToArray(), Is.EqualTo(zeroPoints ? zeros : []));
    }
}
