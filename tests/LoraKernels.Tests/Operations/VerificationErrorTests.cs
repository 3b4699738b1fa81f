using LoraKernels.Verification;
using NUnit.Framework;

namespace LoraKernels.Tests.Operations;

/// <summary>A measure that cannot fail would make every other test worthless.</summary>
[TestFixture]
public sealed class VerificationErrorTests
{
    [Test]
    public void EqualNumbersHaveNoError()
    {
        Assert.That(VerificationError.Relative([1, -2, 0], [1, -2, 0]), Is.Zero);
        Assert.That(VerificationError.Relative([0, 0], [0, 0]), Is.Zero);
        Assert.That(VerificationError.Relative([], []), Is.Zero);
    }

    [Test]
    public void TheNormOfTheDifferenceCounts() =>
        Assert.That(VerificationError.Relative([3.3f, 4.4f], [3, 4]), Is.EqualTo(0.1).Within(1e-6));

    [Test]
    public void OneWrongElementAmongMillionsCounts()
    {
        var expected = new double[1_000_000];
        Array.Fill(expected, 1);
        var actual = new float[expected.Length];
        Array.Fill(actual, 1);
        actual[123_456] = 1.5f;

        Assert.That(VerificationError.Relative(actual, expected), Is.EqualTo(0.5).Within(1e-6));
    }

    [TestCase(float.NaN), TestCase(float.PositiveInfinity), TestCase(float.NegativeInfinity)]
    public void WhatIsNotFiniteIsUnbounded(float bad)
    {
        Assert.That(VerificationError.Relative([1, bad], [1, 1]), Is.EqualTo(VerificationError.Unbounded));
        Assert.That(VerificationError.Relative([bad], [0]), Is.EqualTo(VerificationError.Unbounded));
    }

    [Test]
    public void AnythingWhereZerosAreExpectedIsUnbounded() =>
        Assert.That(VerificationError.Relative([0, 1e-30f], [0, 0]), Is.EqualTo(VerificationError.Unbounded));

    [Test]
    public void AReferenceThatIsNotFiniteNeverPasses() =>
        Assert.That(VerificationError.Relative([1], [double.NaN]), Is.EqualTo(VerificationError.Unbounded));

    [Test]
    public void DifferentLengthsAreRefused() =>
        Assert.That(() => VerificationError.Relative(new float[2], new double[3]), Throws.ArgumentException);

    [Test]
    public void TheNormCountsAgainstTheExpectedOneOrThatOfItsTerms()
    {
        Assert.That(VerificationError.OfNorm([3.3f, 4.4f], [3, 4], 1), Is.EqualTo(0.1).Within(1e-6));
        Assert.That(VerificationError.OfNorm([0.3f, 0.4f], [0, 0], 5), Is.EqualTo(0.1).Within(1e-6));
        Assert.That(VerificationError.OfNorm([0.3f], [0], 0), Is.EqualTo(VerificationError.Unbounded));
        Assert.That(VerificationError.OfNorm([float.NaN], [1], 5), Is.EqualTo(VerificationError.Unbounded));
    }
}
