using LoraKernels.Cli.Commands.Demo;
using LoraKernels.Cli.Commands.Inspect;
using NUnit.Framework;

namespace LoraKernels.Tests.Cli;

[TestFixture]
public sealed class DemoPartsTests
{
    [Test]
    public void NormalDeviatesHaveTheMomentsOfANormalDistribution()
    {
        float[] values = GaussianSource.Matrix(3, 400, 1001, 2, CancellationToken.None);

        double mean = values.Average(static value => (double)value);
        double variance = values.Average(static value => (double)value * value);
        double kurtosis = values.Average(static value => Math.Pow(value, 4)) / (variance * variance);

        // Four standard errors of 400,400 samples.
        Assert.That(mean, Is.Zero.Within(4 * 2 / Math.Sqrt(values.Length)));
        Assert.That(variance, Is.EqualTo(4).Within(4 * 4 * Math.Sqrt(2.0 / values.Length)));
        Assert.That(kurtosis, Is.EqualTo(3).Within(4 * Math.Sqrt(24.0 / values.Length)));
    }

    [Test]
    public void ARowOfDeviatesDependsOnTheSeedAndItsNumberOnly()
    {
        float[] few = GaussianSource.Matrix(3, 2, 10, 1, CancellationToken.None);
        float[] many = GaussianSource.Matrix(3, 5, 10, 1, CancellationToken.None);

        Assert.That(many[..20], Is.EqualTo(few));
        Assert.That(few[10..], Is.Not.EqualTo(few[..10]));
        Assert.That(GaussianSource.Matrix(4, 2, 10, 1, CancellationToken.None), Is.Not.EqualTo(few));
    }

    [TestCase(32, 25)]
    [TestCase(7, 25)]
    [TestCase(64, 3)]
    public void MixedRequestsUseEachAdapterBeforeAnyComesAgain(int rows, int adapters)
    {
        int[] mix = RequestMix.Mixed(rows, adapters, seed: 1);
        int[] counts = [.. Enumerable.Range(0, adapters).Select(adapter => mix.Count(row => row == adapter))];

        Assert.That(mix.Count(static row => row == RequestMix.None), Is.EqualTo(rows / 8));
        Assert.That(counts.Max() - counts.Min(), Is.LessThanOrEqualTo(1));
        Assert.That(counts.Sum() + (rows / 8), Is.EqualTo(rows));
    }

    [Test]
    public void RowsByAdapterAreEveryRowOnce()
    {
        int[] mix = RequestMix.Mixed(40, 5, seed: 1);
        IReadOnlyList<int[]> groups = RequestMix.RowsByAdapter(mix);

        Assert.That(groups, Has.Count.EqualTo(6));
        Assert.That(groups.SelectMany(static rows => rows).Order(), Is.EqualTo(Enumerable.Range(0, 40)));
        Assert.That(groups.All(rows => rows.Select(row => mix[row]).Distinct().Count() == 1), Is.True);
    }

    [TestCase("model.layers.12.self_attn.q_proj", 12)]
    [TestCase("blk.3.attn_q", 3)]
    [TestCase("transformer.h.0.attn.c_proj", 0)]
    [TestCase("lm_head", null)]
    [TestCase("model.vision.players.1.fc", null)]
    public void TheLayerOfAWeightIsInItsName(string name, int? layer) =>
        Assert.That(DecoderLayer.LayerOf(name), Is.EqualTo(layer));

    [Test]
    public void LayersOfOneShapeAreOneLine()
    {
        string[] names = ["model.layers.0.q", "model.layers.1.q", "model.layers.3.q", "model.layers.0.k", "lm_head"];

        string[] together = [.. LayerGroups.Of(names, static name => name, static _ => 0, each: false).Select(static group => group.Name)];
        string[] apart = [.. LayerGroups.Of(names, static name => name, static _ => 0, each: true).Select(static group => group.Name)];

        Assert.That(string.Join(' ', together), Is.EqualTo("model.layers.0-1,3.q model.layers.0.k lm_head"));
        Assert.That(apart, Is.EqualTo(names));
    }
}
