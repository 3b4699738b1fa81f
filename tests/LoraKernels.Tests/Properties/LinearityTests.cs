using LoraKernels.Tests.Operations;
using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Properties;

/// <summary>What holds for any inputs: linearity in x, and adapters that add up in any order.</summary>
[TestFixtureSource(typeof(TestDevices), nameof(TestDevices.Names))]
public sealed class LinearityTests(string deviceName) : DeviceFixture(deviceName)
{
    private const int Rows = 13;

    [Test]
    public void DoublingXDoublesEveryBitOfTheProduct([Range(1, 4)] int seed)
    {
        using var rig = new LinearRig<float>(Device, 33, 129, seed: seed);
        var plain = new Linear(rig.Linear.Weight);
        float[] x = rig.X(Rows, seed);

        float[] once = Forward(rig, plain, x);
        float[] twice = Forward(rig, plain, Array.ConvertAll(x, value => 2 * value));

        Bits.AssertSame<float>(twice, Array.ConvertAll(once, value => 2 * value), "2 x");
    }

    [Test]
    public void SumsOfInputsGiveSumsOfOutputs([Range(1, 4)] int seed)
    {
        using var rig = new LinearRig<float>(Device, 65, 130, seed: seed);
        var plan = LinearRig<float>.MixedPlan(Rows);
        float[] a = rig.X(Rows, 10 + seed);
        float[] b = rig.X(Rows, 20 + seed);
        float[] zero = rig.Forward(new float[a.Length], plan);
        float[] ofA = rig.Forward(a, plan);
        float[] ofB = rig.Forward(b, plan);
        float[] ofSum = rig.Forward([.. a.Zip(b, (p, q) => p + 3 * q)], plan);

        // The bias is in every output once: f(a + 3 b) - f(0) = (f(a) - f(0)) + 3 (f(b) - f(0)).
        double[] expected = [.. ofSum.Select((_, i) => (double)ofA[i] + 3.0 * ofB[i] - 3.0 * zero[i])];
        Assert.That(VerificationError.Relative(ofSum, expected), Is.LessThan(1e-5));
    }

    [Test]
    public void TheOrderOfStackedAdaptersDoesNotMatterBeyondRounding()
    {
        using var rig = new LinearRig<float>(Device);
        float[] x = rig.X(1);
        float[] forward = rig.Forward(x, [(0, 1), (1, -0.5f), (2, 2), (3, 0.25f)]);
        float[] backward = rig.Forward(x, [(3, 0.25f), (2, 2), (1, -0.5f), (0, 1)]);

        Assert.That(VerificationError.Relative(backward, Array.ConvertAll(forward, y => (double)y)), Is.LessThan(1e-5));
    }

    [Test]
    public void AnAdapterTwiceIsTheAdapterWithTheSumOfTheWeights()
    {
        using var rig = new LinearRig<float>(Device);
        float[] x = rig.X(1);
        float[] twice = rig.Forward(x, [(2, 0.75f), (2, 0.5f)]);
        float[] once = rig.Forward(x, [(2, 1.25f)]);

        Assert.That(VerificationError.Relative(twice, Array.ConvertAll(once, y => (double)y)), Is.LessThan(1e-5));
    }

    [Test]
    public void OrderAndDuplicatesMatchTheReferenceInEveryType()
    {
        Check<float>();
        Check<Half>();
        Check<BFloat16>();

        void Check<T>()
            where T : unmanaged
        {
            using var rig = new LinearRig<T>(Device);
            T[] x = rig.X(Rows);
            var plan = LinearRig<T>.MixedPlan(Rows);
            Assert.That(
                VerificationError.Relative(Elements.ToFloats(rig.Forward(x, plan)), rig.Expected(x, plan)),
                Is.LessThan(VerificationError.Limit(Elements.DTypeOf<T>())));
        }
    }

    private static float[] Forward(LinearRig<float> rig, Linear linear, float[] x)
    {
        using DeviceTensor<float> input = rig.Device.Upload<float>(x, x.Length / rig.InFeatures, rig.InFeatures);
        using DeviceTensor<float> output = rig.Device.Allocate<float>(input.Rows, rig.OutFeatures);
        linear.Forward(input, output);
        return output.ToArray();
    }
}
