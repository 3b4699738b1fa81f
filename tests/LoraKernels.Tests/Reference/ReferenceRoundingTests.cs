using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Reference;

/// <summary>The reference's own rounding against the runtime's, over every value there is.</summary>
[TestFixture]
public sealed class ReferenceRoundingTests
{
    [Test]
    public void EveryFloat16HasTheRuntimesValueAndComesBack()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            Half half = BitConverter.UInt16BitsToHalf((ushort)bits);
            float value = ReferenceRounding.FromFloat16Bits((ushort)bits);
            if (Half.IsNaN(half))
            {
                Assert.That(value, Is.NaN);
                continue;
            }

            Assert.That(
                BitConverter.SingleToUInt32Bits(value), Is.EqualTo(BitConverter.SingleToUInt32Bits((float)half)));
            Assert.That(ReferenceRounding.ToFloat16Bits(value), Is.EqualTo(bits));
        }
    }

    [Test]
    public void Float16RoundsAsTheRuntimeAtAndBesideEveryTie()
    {
        for (int bits = 0; bits < 0x7C00; bits++)
        {
            float low = ReferenceRounding.FromFloat16Bits((ushort)bits);
            float high = bits == 0x7BFF ? 65536 : ReferenceRounding.FromFloat16Bits((ushort)(bits + 1));
            float tie = (low + high) / 2;
            foreach (float value in new[] { MathF.BitDecrement(tie), tie, MathF.BitIncrement(tie), -tie })
            {
                Assert.That(
                    ReferenceRounding.ToFloat16Bits(value),
                    Is.EqualTo(BitConverter.HalfToUInt16Bits((Half)value)),
                    $"{value:R}");
            }
        }
    }

    [Test]
    public void BFloat16RoundsToTheNearestAndTiesToEven()
    {
        for (int bits = 0; bits < 0x7F80; bits++)
        {
            uint exact = (uint)bits << 16;
            Assert.That(Round(exact), Is.EqualTo(bits));
            Assert.That(Round(exact + 0x7FFF), Is.EqualTo(bits));
            Assert.That(Round(exact + 0x8000), Is.EqualTo(bits + (bits & 1)));
            Assert.That(Round(exact + 0x8001), Is.EqualTo(bits + 1));
            Assert.That(Round(0x8000_0000 | (exact + 0x8001)), Is.EqualTo(0x8000 | (bits + 1)));
        }

        Assert.That(Round(0x7F80_0001), Is.EqualTo(0x7FC0), "a NaN must not become an infinity");

        static int Round(uint bits) => ReferenceRounding.ToBFloat16Bits(BitConverter.UInt32BitsToSingle(bits));
    }
}
