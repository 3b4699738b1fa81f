using System.Runtime.InteropServices;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>Sums, combinations and merges of adapters against sums written out in float64.</summary>
public sealed class AdapterArithmeticTests
{
    private const int K = 21;
    private const int N = 13;
    private const string Module = "m";

    [Test]
    public void StackingIsTheWeightedSum()
    {
        LoraAdapter first = One(3, 0.5f, 1, bias: true), second = One(5, 2, 2);
        LoraFactors sum = AdapterArithmetic.Stack("sum", [new(first, 0.75f), new(second, -1.5f)]).Factors.Single();

        Assert.That(sum.Rank, Is.EqualTo(8));
        Near(Update(sum), Add(Times(0.75, Update(first.Factors[0])), Times(-1.5, Update(second.Factors[0]))), 1e-6);
        double[] bias = [.. Values(first.Factors[0].Bias!).Select(v => 0.75 * 0.5 * v)];
        Near([.. Values(sum.Bias!).Select(v => (double)v * sum.Scale)], bias, 1e-6);
    }

    [Test]
    public void StackingKeepsTheBitsWhereAllAreMultipliedByTheSame()
    {
        LoraAdapter first = One(3, 0.5f, 1), second = One(2, 0.25f, 2);
        LoraFactors sum = AdapterArithmetic.Stack("sum", [new(first, 1), new(second, 2)]).Factors.Single();
        Assert.That(sum.Scale, Is.EqualTo(0.5f));
        Assert.That(
            sum.A.Data.ToArray(),
            Is.EqualTo(first.Factors[0].A.Data.ToArray().Concat(second.Factors[0].A.Data.ToArray())));
    }

    [Test]
    public void AModuleThatOnlyOneAdapterHasIsThatOnes()
    {
        LoraAdapter first = One(3, 0.5f, 1), second = new("b", [Factors("other", 2, 1, 5)], "base");
        LoraAdapter sum = AdapterArithmetic.Stack("sum", [new(first, 2), new(second, 1)]);
        Assert.That(sum.Factors.Select(f => (f.Module, f.Rank)), Is.EqualTo(((string, long)[])[(Module, 3), ("other", 2)]));
        Near(Update(sum.Factors[0]), Times(2, Update(first.Factors[0])), 1e-6);
    }

    [Test]
    public void MergingAddsTheUpdateToTheWeight()
    {
        LoraFactors factors = One(4, 0.5f, 3, bias: true).Factors[0];
        HostMatrix weight = HostMatrix.From(Sample.Values(N * K, 8), N, K);
        Near(ToDoubles(AdapterArithmetic.Merge(weight, factors)), Add(ToDoubles(weight), Update(factors)), 1e-6);
        HostMatrix bias = HostMatrix.From(Sample.Values(N, 9), 1, N);
        Near(
            ToDoubles(AdapterArithmetic.MergeBias(bias, factors)!),
            Add(ToDoubles(bias), Times(0.5, ToDoubles(factors.Bias!))), 1e-6);
        Assert.That(AdapterArithmetic.MergeBias(bias, One(4, 1, 3).Factors[0]), Is.SameAs(bias));
    }

    [Test]
    public void MergingDoraGivesEachRowItsMagnitude()
    {
        LoraFactors plain = One(4, 0.5f, 3).Factors[0];
        float[] magnitude = [.. Sample.Values(N, 4).Select(v => 2 + v)];
        var dora = new LoraFactors(Module, plain.A, plain.B, plain.Scale, magnitude: HostMatrix.From(magnitude, 1, N));
        HostMatrix weight = HostMatrix.From(Sample.Values(N * K, 8), N, K);
        double[] merged = ToDoubles(AdapterArithmetic.Merge(weight, dora));
        double[] direction = Add(ToDoubles(weight), Update(plain));
        for (int n = 0; n < N; n++)
        {
            double norm = Math.Sqrt(direction.Skip(n * K).Take(K).Sum(v => v * v));
            Near(
                [.. merged.Skip(n * K).Take(K)],
                [.. direction.Skip(n * K).Take(K).Select(v => magnitude[n] * v / norm)], 1e-6);
        }
    }

    // Weight · scale is 4 and 1, so that their roots are 2 and 1.
    [TestCase(CombinationMethod.Linear, 1.0, MajoritySign.Total, "5,-4,5,4")]
    [TestCase(CombinationMethod.MagnitudePrune, 0.5, MajoritySign.Total, "6,-2,4,4")]
    [TestCase(CombinationMethod.Ties, 0.5, MajoritySign.Total, "6,-2,4,4")]
    [TestCase(CombinationMethod.Ties, 1.0, MajoritySign.Total, "6,-2,2.5,4")]
    [TestCase(CombinationMethod.Ties, 0.0, MajoritySign.Total, "0,0,0,0")]
    [TestCase(CombinationMethod.DareTies, 1.0, MajoritySign.Total, "6,-2,2.5,4")]
    [TestCase(CombinationMethod.DareLinear, 1.0, MajoritySign.Total, "5,-4,5,4")]
    public void CombinesElements(CombinationMethod method, double density, MajoritySign sign, string expected)
    {
        LoraAdapter first = Elements(4, 3, -1, 0.5f, 2), second = Elements(1, -1, -2, 4, 0);
        LoraFactors sum = AdapterArithmetic.Combine(
            "sum", [new(first, 1), new(second, 1)],
            new AdapterCombination { Method = method, Density = density, MajoritySign = sign }).Factors.Single();
        Assert.That(string.Join(',', Values(sum.A).Select(v => FormattableString.Invariant($"{v}"))), Is.EqualTo(expected));
        Assert.That(sum.Scale, Is.EqualTo(1f));
    }

    [TestCase(MajoritySign.Total, -3f), TestCase(MajoritySign.Frequency, 1.5f)]
    public void TheMajorityIsThatOfTheSumOrOfTheNumber(MajoritySign sign, float expected)
    {
        LoraAdapter[] adapters = [Elements(1, -3, 0, 0, 0), Elements(1, 1, 0, 0, 0), Elements(1, 2, 0, 0, 0)];
        // -3 + 1 + 2 = 0 elects the positive; a little less does not.
        adapters[2] = Elements(1, 2 - (sign == MajoritySign.Total ? 0.5f : 0), 0, 0, 0);
        LoraFactors sum = AdapterArithmetic.Combine(
            "sum", [.. adapters.Select(a => new WeightedAdapter(a, 1))],
            new AdapterCombination { Method = CombinationMethod.Ties, MajoritySign = sign }).Factors.Single();
        Assert.That(Values(sum.A)[0], Is.EqualTo(expected));
    }

    [Test]
    public void DareKeepsTheDensityScaledUpAndFollowsItsSeed()
    {
        var all = new LoraAdapter("ones", [new LoraFactors(
            Module, HostMatrix.From([.. Enumerable.Repeat(3f, 20_000)], 4, 5000), HostMatrix.From(new float[4], 1, 4), 1)]);
        float[] Drop(ulong seed) => Values(AdapterArithmetic.Combine(
            "sum", [new(all, 1)],
            new AdapterCombination { Method = CombinationMethod.DareLinear, Density = 0.25, Seed = seed }).Factors[0].A);
        float[] dropped = Drop(1);
        Assert.That(dropped.Distinct().Order(), Is.EqualTo((float[])[0, 12]));
        // The deviation of 20000 draws is 61.
        Assert.That(dropped.Count(v => v != 0), Is.InRange(5000 - 300, 5000 + 300));
        Assert.That(Drop(1), Is.EqualTo(dropped));
        Assert.That(Drop(2), Is.Not.EqualTo(dropped));
    }

    [Test]
    public void SvdOfFullRankIsTheSum()
    {
        LoraAdapter first = One(3, 0.5f, 1), second = One(5, 2, 2);
        LoraFactors sum = Svd(8, new(first, 0.75f), new(second, -1.5f));
        // As in PEFT, an update has its scale and is multiplied by weight · scale.
        double[] expected = Add(Times(0.75 * 0.5, Update(first.Factors[0])), Times(-1.5 * 2, Update(second.Factors[0])));
        Assert.That(sum.Rank, Is.EqualTo(8));
        Near(Update(sum), expected, 1e-6);
    }

    [Test]
    public void SvdOfLessIsTheNearestOfItsRank()
    {
        LoraAdapter first = One(4, 1, 1), second = One(4, 1, 2);
        double[] whole = Add(Update(first.Factors[0]), Update(second.Factors[0]));
        LoraFactors sum = Svd(3, new(first, 1), new(second, 1));
        double[] near = Update(sum), rest = Add(whole, Times(-1, near));
        Assert.That(Dot(near, rest) / Dot(whole, whole), Is.EqualTo(0).Within(1e-6), "orthogonal");
        // Eckart-Young: nothing that is left is larger than the least that was kept. B's columns have the singular values.
        double least = Enumerable.Range(0, 3).Min(r => Math.Sqrt(Enumerable.Range(0, N).Sum(n => Math.Pow(Values(sum.B)[n * 3 + r], 2))));
        Assert.That(LargestSingularValue(rest), Is.LessThanOrEqualTo(least * (1 + 1e-5)).And.GreaterThan(0));
    }

    [Test]
    public void SvdOfMoreThanThereIsFillsUpWithZeros()
    {
        LoraAdapter only = One(2, 1, 1);
        LoraFactors sum = Svd(5, new WeightedAdapter(only, 1), new WeightedAdapter(only, 1));
        Assert.That(sum.Rank, Is.EqualTo(5));
        Near(Update(sum), Times(2, Update(only.Factors[0])), 1e-6);
        Assert.That(Svd(null, new(One(2, 1, 1), 1), new(One(3, 1, 1), 1)).Rank, Is.EqualTo(3), "the largest rank");
    }

    [Test]
    public void ResultsHaveTheFirstAdaptersNumberFormat()
    {
        LoraFactors f = Factors(Module, 2, 1, 1);
        var half = new LoraAdapter("half", [new LoraFactors(
            Module, HostMatrix.From([.. Values(f.A).Select(v => (Half)v)], 2, K), HostMatrix.From([.. Values(f.B).Select(v => (BFloat16)v)], N, 2), 1)]);
        LoraFactors sum = AdapterArithmetic.Combine(
            "sum", [new(half, 1), new(One(2, 1, 2), 1)], new AdapterCombination { Method = CombinationMethod.Linear }).Factors.Single();
        Assert.That((sum.A.DType, sum.B.DType), Is.EqualTo((DType.Float16, DType.BFloat16)));
    }

    [Test]
    public void WhatDoesNotAddUpIsRefusedByName()
    {
        LoraAdapter plain = One(2, 1, 1);
        LoraFactors f = plain.Factors[0];
        var dora = new LoraAdapter("dora", [new LoraFactors(Module, f.A, f.B, 1, magnitude: HostMatrix.From(new float[N], 1, N))]);
        var full = new LoraAdapter("full", [f], savedModules: [new SavedModule("head", f.A)]);
        var narrow = new LoraAdapter("narrow", [new LoraFactors(Module, HostMatrix.From(new float[2], 2, 1), f.B, 1)]);
        var linear = new AdapterCombination { Method = CombinationMethod.Linear };

        void Refused(string part, Func<LoraAdapter> sum) =>
            Assert.That(() => sum(), Throws.ArgumentException.With.Message.Contains(part));
        Refused("no adapters", () => AdapterArithmetic.Stack("s", []));
        Refused("'dora' has DoRA's magnitudes in 'm'", () => AdapterArithmetic.Stack("s", [new(plain, 1), new(dora, 1)]));
        Refused("'head' in full", () => AdapterArithmetic.Stack("s", [new(full, 1)]));
        Refused("must be finite", () => AdapterArithmetic.Stack("s", [new(plain, float.NaN)]));
        Refused("[13, 1]", () => AdapterArithmetic.Stack("s", [new(plain, 1), new(narrow, 1)]));
        Refused("add up to 600", () => AdapterArithmetic.Stack("s", [new(One(300, 1, 1), 1), new(One(300, 1, 1), 1)]));
        Refused("a bias", () => AdapterArithmetic.Combine("s", [new(One(2, 1, 1, bias: true), 1)], linear));
        Refused("rank 2 in one adapter and 3", () => AdapterArithmetic.Combine("s", [new(plain, 1), new(One(3, 1, 1), 1)], linear));
        Refused("takes its root", () => AdapterArithmetic.Combine("s", [new(plain, -1)], linear));
        Refused("density is 1.5", () => AdapterArithmetic.Combine("s", [new(plain, 1)], linear with { Density = 1.5 }));
        Refused("above 0", () => AdapterArithmetic.Combine(
            "s", [new(plain, 1)], new AdapterCombination { Method = CombinationMethod.DareTies, Density = 0 }));
        Refused("the rank is 513", () => AdapterArithmetic.Combine(
            "s", [new(plain, 1)], new AdapterCombination { Method = CombinationMethod.Svd, Rank = 513 }));
    }

    private static LoraFactors Svd(int? rank, params WeightedAdapter[] adapters) => AdapterArithmetic.Combine(
        "sum", adapters, new AdapterCombination { Method = CombinationMethod.Svd, Rank = rank }).Factors.Single();

    private static LoraFactors Factors(string module, int rank, float scale, int seed, bool bias = false) => new(
        module, HostMatrix.From(Sample.Values(rank * K, seed), rank, K),
        HostMatrix.From(Sample.Values(N * rank, seed + 50), N, rank), scale,
        bias ? HostMatrix.From(Sample.Values(N, seed + 70), 1, N) : null);

    private static LoraAdapter One(int rank, float scale, int seed, bool bias = false) =>
        new("a", [Factors(Module, rank, scale, seed, bias)], "base");

    private static LoraAdapter Elements(float scale, params float[] a) =>
        new("e", [new LoraFactors(Module, HostMatrix.From(a, 1, a.Length), HostMatrix.From([1f], 1, 1), scale)]);

    private static float[] Values(HostMatrix matrix) => MemoryMarshal.Cast<byte, float>(matrix.Data.Span).ToArray();

    private static double[] ToDoubles(HostMatrix matrix) => [.. Values(matrix).Select(v => (double)v)];

    /// <summary>scale · B · A.</summary>
    private static double[] Update(LoraFactors factors)
    {
        float[] a = Values(factors.A), b = Values(factors.B);
        int rank = (int)factors.Rank;
        var update = new double[N * K];
        for (int i = 0; i < update.Length; i++)
        {
            for (int r = 0; r < rank; r++)
                update[i] += (double)factors.Scale * b[i / K * rank + r] * a[r * K + i % K];
        }
        return update;
    }

    private static double[] Add(double[] left, double[] right) => [.. left.Zip(right, (l, r) => l + r)];

    private static double[] Times(double factor, double[] values) => [.. values.Select(v => factor * v)];

    private static double Dot(double[] left, double[] right) => left.Zip(right, (l, r) => l * r).Sum();

    private static double LargestSingularValue(double[] matrix)
    {
        double[] x = [.. Enumerable.Range(0, K).Select(k => 1.0 + k % 3)];
        double norm = 0;
        for (int step = 0; step < 500; step++)
        {
            double[] y = [.. Enumerable.Range(0, N).Select(n => Enumerable.Range(0, K).Sum(k => matrix[n * K + k] * x[k]))];
            x = [.. Enumerable.Range(0, K).Select(k => Enumerable.Range(0, N).Sum(n => matrix[n * K + k] * y[n]))];
            norm = Math.Sqrt(Dot(x, x));
            x = Times(1 / norm, x);
        }
        return Math.Sqrt(norm);
    }

    private static void Near(double[] actual, double[] expected, double limit)
    {
        Assert.That(actual, Has.Length.EqualTo(expected.Length));
        double[] rest = Add(actual, Times(-1, expected));
        Assert.That(Math.Sqrt(Dot(rest, rest) / Dot(expected, expected)), Is.LessThan(limit));
    }
}
