using LoraKernels.Tests.Operations;
using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Formats;

/// <summary>Quantization to FP4 against bitsandbytes' tree of comparisons, on every 16-bit input there is.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class Fp4QuantizationTests(string deviceName) : AbsmaxQuantizationTests(deviceName)
{
    private static readonly float[] Borders =
        [0.00260417f, 0.0859375f, 0.20833333f, 0.29166667f, 0.4166667f, 0.583333f, 0.8333333f];

    protected override QuantizeOptions Options => QuantizeOptions.Fp4(GroupSize, nested: false);

    protected override (byte[] Codes, float[] Absmax) Reference(float[] weights) => ReferenceFp4.Quantize(weights, GroupSize);

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
        using QuantizedWeight weight = QuantizedWeight.Quantize(zeros, Options);
        WeightTensors tensors = weight.Unpack();

        Assert.That(tensors.Codes.ToArray(), Is.All.Zero);
        Assert.That(tensors.Scales.ToArray(), Is.All.Zero);
    }
}
