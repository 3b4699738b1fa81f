using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Reference;

/// <summary>The products on numbers worked out by hand, and the fast sum against the obvious one.</summary>
[TestFixture]
public sealed class ReferenceLinearTests
{
    [Test]
    public void ProductBiasAndStackedAdaptersMatchTheHandWorkedResult()
    {
        // W = [[1, -1, 0], [0, 0, 1]]
        var weight = new ReferenceNf4Weight(2, 3, 32, [0xF0, 0x77, 0x7F], [1]);
        double[] x = [1, 2, 3, 10, 20, 30];
        // The whole output: A = [1 0 1], B = [2; 3]. Column 1 only: A = [[1 1 0], [0 0 1]], B = [10 100].
        var whole = new ReferenceFactors(0, 2, 1, [1, 0, 1], [2, 3], 0.5f);
        var second = new ReferenceFactors(1, 1, 2, [1, 1, 0, 0, 0, 1], [10, 100], 1);
        ReferenceEntry[] entries = [new(0, [whole]), new(0, [second], 2), new(1, [])];

        Assert.That(ReferenceLinear.Matmul(x, 2, weight, [100, 200]), Is.EqualTo(new double[] { 99, 203, 90, 230 }));
        Assert.That(
            ReferenceLora.Shrink(x, 3, entries, 3), Is.EqualTo(new double[] { 4, 0, 0, 3, 3, 0, 0, 0, 0 }));
        Assert.That(
            ReferenceLinear.Linear(x, 2, weight, entries, [100, 200]),
            Is.EqualTo(new double[] { 99 + 4, 203 + 6 + 2 * (30 + 300), 90, 230 }));
    }

    [Test]
    public void SlicesOfOneEntryFollowEachOtherInTheIntermediate()
    {
        var q = new ReferenceFactors(0, 1, 1, [1, 0], [1], 1);
        var v = new ReferenceFactors(2, 1, 2, [0, 1, 1, 1], [1, 10], 1);
        ReferenceEntry[] entries = [new(0, [q, v])];
        double[] y = [0, 0, 0];
        ReferenceLora.Apply([3, 5], 2, entries, y, 3);

        Assert.That(ReferenceLora.Shrink([3, 5], 2, entries, 4), Is.EqualTo(new double[] { 3, 5, 8, 0 }));
        Assert.That(y, Is.EqualTo(new double[] { 3, 0, 85 }));
    }

    [TestCase(0), TestCase(1), TestCase(15), TestCase(16), TestCase(17), TestCase(1003)]
    public void TheVectorisedSumIsThePlainSum(int inFeatures)
    {
        var random = new Random(inFeatures);
        var codes = new byte[(3 * inFeatures + 1) / 2];
        random.NextBytes(codes);
        float[] absmax = Enumerable.Range(0, (3 * inFeatures + 31) / 32).Select(_ => random.NextSingle()).ToArray();
        var weight = new ReferenceNf4Weight(3, inFeatures, 32, codes, absmax);
        double[] x = Enumerable.Range(0, 2 * inFeatures).Select(_ => random.NextDouble() - 0.5).ToArray();
        float[] w = weight.Decode();
        double[] y = ReferenceLinear.Matmul(x, 2, weight);

        for (int m = 0; m < 2; m++)
        {
            for (int n = 0; n < 3; n++)
            {
                double sum = 0;
                for (int k = 0; k < inFeatures; k++)
                    sum += x[m * inFeatures + k] * w[n * inFeatures + k];
                Assert.That(y[m * 3 + n], Is.EqualTo(sum).Within(1e-12));
            }
        }
    }

    [Test]
    public void AnInputOfAnotherSizeIsRefused() =>
        Assert.That(
            () => ReferenceLinear.Matmul(new double[5], 2, new ReferenceNf4Weight(1, 3, 32, new byte[2], [1])),
            Throws.ArgumentException);
}
