using LoraKernels.Tests.Operations;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Quantization to NF4 against the rule, on every 16-bit input there is.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class Nf4QuantizationTests(string deviceName) : AbsmaxQuantizationTests(deviceName)
{
    protected override QuantizeOptions Options => QuantizeOptions.Nf4(GroupSize, nested: false);

    protected override (byte[] Codes, float[] Absmax) Reference(float[] weights) =>
        ReferenceNf4Quantizer.Quantize(weights, GroupSize);

    [Test]
    public void WeightsOnAndBesideEveryBorderUseTheReciprocalNotTheQuotient()
    {
        float[] borders =
        [
            -0.8480964004993439f, -0.6106329262256622f, -0.4599952697753906f, -0.33967943489551544f,
            -0.23460740596055984f, -0.13791173323988914f, -0.045525018125772476f, 0.03979014977812767f,
            0.1202552504837513f, 0.2035212516784668f, 0.2920137718319893f, 0.3893125355243683f,
            0.5016634166240692f, 0.6427869200706482f, 0.8614784178118011f,
        ];
        var random = new Random(5);
        var values = new List<float>();
        for (int group = 0; group < 2000; group++)
        {
            float absmax = MathF.Pow(2, 20 * random.NextSingle() - 10);
            values.Add(absmax);
            for (int i = 1; i < GroupSize; i++)
            {
                float value = borders[random.Next(borders.Length)] * absmax;
                for (int step = random.Next(-2, 3); step != 0; step -= Math.Sign(step))
                    value = step > 0 ? MathF.BitIncrement(value) : MathF.BitDecrement(value);
                values.Add(value);
            }
        }

        float[] weights = [.. values];
        int sensitive = weights.Where((w, i) => CodeByQuotient(w, weights[i / GroupSize * GroupSize])
            != ReferenceNf4Quantizer.Code(w, weights[i / GroupSize * GroupSize])).Count();
        Assert.That(sensitive, Is.Positive, "the inputs must tell the two apart");
        Check(weights, weights);

        int CodeByQuotient(float weight, float absmax) => borders.Count(border => weight / absmax > border);
    }

    [Test]
    public void AllZeroWeightsHaveTheCodeOfZeroAndDequantizeToZero()
    {
        using DeviceTensor<float> zeros = Device.Upload<float>(new float[99], 3, 33);
        using QuantizedWeight weight = QuantizedWeight.Quantize(zeros, Options);
        WeightTensors tensors = weight.Unpack();

        Assert.That(tensors.Codes.ToArray(), Is.All.EqualTo(0x77));
        Assert.That(tensors.Scales.ToArray(), Is.All.Zero);
    }

    [TestCase(float.NaN), TestCase(float.PositiveInfinity), TestCase(float.NegativeInfinity)]
    public void AWeightThatIsNotFiniteIsNamedByRowAndColumn(float bad)
    {
        var values = new float[70];
        values[2 * 10 + 7] = bad;
        using DeviceTensor<float> tensor = Device.Upload<float>(values, 7, 10);

        LoraKernelsException? exception =
            Assert.Throws<LoraKernelsException>(() => QuantizedWeight.Quantize(tensor).Dispose());
        Assert.That(exception!.Status, Is.EqualTo(LoraKernelsStatus.InvalidArgument));
        Assert.That(exception.Message, Does.Contain("[2, 7]"));
    }
}
