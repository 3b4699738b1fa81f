using System.Globalization;
using LoraKernels.Serving;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>
/// Random histories with an oracle; LORAKERNELS_POOL_OPERATIONS=1000000 makes them as long. A seed that fails fails
/// again.
/// </summary>
public sealed class SimulationTests
{
    private static readonly Dictionary<int, LoraFactors> _factors = [];

    private static int Operations => int.TryParse(
        Environment.GetEnvironmentVariable("LORAKERNELS_POOL_OPERATIONS"), CultureInfo.InvariantCulture, out int asked)
            ? asked
            : 15_000;

    [TestCase(1), TestCase(2)]
    public void TenThousandAdaptersThroughAPoolOfTwoHundred(int seed)
    {
        long mean = TestAdapters.Bytes(128);
        using var simulation = new PoolSimulation(
            seed, new SimulationSize(10_000, 200, 256, 150 * mean, 50 * mean, new PoolQuota(20 * mean, 25)), null, Make);

        simulation.Run(Operations);

        TestContext.Out.WriteLine($"{Operations} operations, {simulation.Steps} steps, {simulation.Figures}");
        Assert.That(simulation.Figures.Evictions, Is.GreaterThan(Operations / 100));
        Assert.That(simulation.ReadySequences, Is.GreaterThan(Operations / 20));
        Assert.That(simulation.Figures.Failures, Is.Positive);
    }

    [TestCase(3), TestCase(4), TestCase(5)]
    public void FewAdaptersThroughAPoolOfVeryFew(int seed)
    {
        // Everybody is in everybody's way: most sequences wait, and room is all that matters.
        long one = TestAdapters.Bytes(32);
        using var simulation = new PoolSimulation(
            seed, new SimulationSize(12, 5, 40, 4 * one, one, new PoolQuota(2 * one, 2)), null, Make);

        simulation.Run(Operations);

        Assert.That(simulation.Figures.Evictions, Is.GreaterThan(Operations / 200));
        Assert.That(simulation.ReadySequences, Is.GreaterThan(Operations / 200));
    }

    // Contents differ by name; what nobody computes with needs no values of its own.
    private static LoraAdapter Make(string content, int rank)
    {
        if (!_factors.TryGetValue(rank, out LoraFactors? factors))
            _factors.Add(rank, factors = TestAdapters.Make("any", rank).Factors[0]);
        return new LoraAdapter(content, [factors]);
    }
}
