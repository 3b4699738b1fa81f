using System.Globalization;
using NUnit.Framework;

namespace LoraKernels.Tests.Api;

public sealed class BFloat16Tests
{
    [Test]
    public void EveryBitPatternSurvivesTheWayThroughFloat()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var value = BFloat16.FromBits((ushort)bits);
            float single = (float)value;

            int expected = float.IsNaN(single) ? bits | 0x0040 : bits;
            if (BitConverter.SingleToUInt32Bits(single) != (uint)bits << 16 || ((BFloat16)single).Bits != expected)
                Assert.Fail($"bits {bits:x4}");
        }
    }

    [Test]
    public void EveryBitPatternIsClassifiedAsItsFloatIs()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var value = BFloat16.FromBits((ushort)bits);

            bool nan = float.IsNaN((float)value), finite = float.IsFinite((float)value);
            if (BFloat16.IsNaN(value) != nan || BFloat16.IsFinite(value) != finite)
                Assert.Fail($"bits {bits:x4}");
        }
    }

    // Around every value: the middle to the next one, its neighbours in float, and the quarters.
    [Test]
    public void RoundsToTheNearestAndTiesToEven()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            foreach (uint tail in (ReadOnlySpan<uint>)[0, 1, 0x4000, 0x7FFF, 0x8000, 0x8001, 0xC000, 0xFFFF])
                AssertRounds(BitConverter.UInt32BitsToSingle(((uint)bits << 16) | tail));
        }
    }

    [Test]
    public void RoundsRandomFloats()
    {
        var random = new Random(20260101);
        for (int i = 0; i < 200_000; i++)
            AssertRounds(BitConverter.UInt32BitsToSingle((uint)random.NextInt64(1L << 32)));
    }

    [TestCase(0x7F800001u, (ushort)0x7FC0, Description = "a signaling NaN whose payload is cut off stays NaN")]
    [TestCase(0xFF800001u, (ushort)0xFFC0)]
    [TestCase(0x7FA50000u, (ushort)0x7FE5, Description = "the upper payload stays")]
    [TestCase(0x7F7FFFFFu, (ushort)0x7F80, Description = "the largest float rounds to infinity")]
    [TestCase(0x7F7F7FFFu, (ushort)0x7F7F)]
    [TestCase(0x00008000u, (ushort)0x0000, Description = "half the smallest subnormal ties to 0")]
    [TestCase(0x00008001u, (ushort)0x0001)]
    [TestCase(0x80008001u, (ushort)0x8001)]
    [TestCase(0x007FFFFFu, (ushort)0x0080, Description = "a subnormal rounds up to a normal number")]
    public void RoundsAtTheEdges(uint bits, ushort expected) =>
        Assert.That(((BFloat16)BitConverter.UInt32BitsToSingle(bits)).Bits, Is.EqualTo(expected));

    [Test]
    public void ComparesAsIeeeSaysButEqualsAndSortsNaN()
    {
        BFloat16 one = (BFloat16)1f, two = (BFloat16)2f, nan = BFloat16.NaN;
        BFloat16 zero = BFloat16.FromBits(0), negativeZero = BFloat16.FromBits(0x8000);

        Assert.That(one < two && two > one && one <= two && two >= one && one != two);
        Assert.That(one > two || two < one || two <= one || one == two, Is.False);
        Assert.That(zero == negativeZero && zero.Equals(negativeZero));
        Assert.That(zero.GetHashCode(), Is.EqualTo(negativeZero.GetHashCode()));
        BFloat16 sameNan = BFloat16.FromBits(0xFFFF);
        Assert.That(nan == sameNan || nan < one || nan > one || nan <= one || nan >= one, Is.False);
        Assert.That(nan != sameNan && nan.Equals(sameNan) && nan.GetHashCode() == sameNan.GetHashCode());
        Assert.That(nan.CompareTo(BFloat16.NegativeInfinity), Is.LessThan(0));
        Assert.That(one.CompareTo(null), Is.GreaterThan(0));
        Assert.That(one.Equals((object)one) && !one.Equals(1f));
        Assert.That(() => one.CompareTo("1"), Throws.ArgumentException.With.Message.Contains("System.String"));
    }

    [Test]
    public void NamesItsSpecialValues()
    {
        Assert.That((double)(float)BFloat16.Epsilon, Is.EqualTo(Math.Pow(2, -133)));
        Assert.That((double)(float)BFloat16.MaxValue, Is.EqualTo((2 - Math.Pow(2, -7)) * Math.Pow(2, 127)));
        Assert.That((float)BFloat16.MinValue, Is.EqualTo(-(float)BFloat16.MaxValue));
        Assert.That((float)BFloat16.PositiveInfinity, Is.EqualTo(float.PositiveInfinity));
        Assert.That((float)BFloat16.NegativeInfinity, Is.EqualTo(float.NegativeInfinity));
        Assert.That(float.IsNaN((float)BFloat16.NaN));
    }

    [Test]
    public void WritesItselfAsItsFloat()
    {
        var value = (BFloat16)(-1.5f);
        Span<char> text = stackalloc char[8];

        Assert.That(value.ToString("F2", CultureInfo.InvariantCulture), Is.EqualTo("-1.50"));
        Assert.That(value.TryFormat(text, out int written, "F1", CultureInfo.InvariantCulture));
        Assert.That(text[..written].ToString(), Is.EqualTo("-1.5"));
        Assert.That(value.TryFormat(text[..2], out _, "F1", CultureInfo.InvariantCulture), Is.False);
    }

    private static void AssertRounds(float single)
    {
        ushort actual = ((BFloat16)single).Bits;
        bool right = float.IsNaN(single) ? BFloat16.IsNaN(BFloat16.FromBits(actual)) : actual == Oracle(single);
        if (!right)
            Assert.Fail($"{BitConverter.SingleToUInt32Bits(single):x8} became {actual:x4}");
    }

    /// <summary>
    /// In double precision, without bit tricks: a whole number of units in the last place, rounded half to even.
    /// </summary>
    private static ushort Oracle(double value)
    {
        const double LargestUnit = 128;
        const int MinExponent = -126;
        ushort sign = double.IsNegative(value) ? (ushort)0x8000 : (ushort)0;
        double magnitude = Math.Abs(value);
        if (double.IsInfinity(magnitude))
            return (ushort)(sign | 0x7F80);
        int exponent = magnitude == 0 ? MinExponent : Math.Max(MinExponent, Math.ILogB(magnitude));
        double units = Math.Round(Math.ScaleB(magnitude, 7 - exponent), MidpointRounding.ToEven);
        if (units >= 2 * LargestUnit)
        {
            units /= 2;
            exponent++;
        }
        if (exponent > 127)
            return (ushort)(sign | 0x7F80);
        int biased = units < LargestUnit ? 0 : exponent + 127;
        return (ushort)(sign | (biased << 7) | ((int)units & 0x7F));
    }
}
