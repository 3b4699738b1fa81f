using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Reference;

/// <summary>Blocks written out by hand.</summary>
[TestFixture]
public sealed class ReferenceWeightTests
{
    [Test]
    public void Nf4AddressesGroupsByTheFlatIndexAndTakesTheHighNibbleFirst()
    {
        // 3 x 33 = 99 weights: the last byte is half padding, and group 1 (32 ... 63) starts in row 0, ends in row 1.
        var codes = new byte[50];
        Array.Fill(codes, (byte)0x77);
        codes[0] = 0x0F;
        codes[16] = 0xF0;
        codes[49] = 0x37;
        float[] absmax = [2, 10, 100, 1000];
        float[] values = new ReferenceNf4Weight(3, 33, 32, codes, absmax).Decode();

        Assert.That(values[0], Is.EqualTo(-2), "row 0, k 0: code 0");
        Assert.That(values[1], Is.EqualTo(2), "row 0, k 1: code 15");
        Assert.That(values[32], Is.EqualTo(10), "row 0, k 32: code 15 of group 1");
        Assert.That(values[33], Is.EqualTo(-10), "row 1, k 0: code 0 of group 1");
        Assert.That(values[98], Is.EqualTo(-394.91748809814453f), "row 2, k 32: code 3 of group 3");
        Assert.That(values.Count(value => value != 0), Is.EqualTo(5));
    }

    [Test]
    public void NestedAbsmaxIsRoundedAfterTheProductAndAfterTheSum()
    {
        var map = new float[256];
        map[3] = 0.1f;
        map[200] = -0.75f;
        float[] absmax = ReferenceNf4Weight.DecodeNestedAbsmax([3, 200, 3], map, [0.3f, 4], 1, 2);

        Assert.That(absmax[0], Is.EqualTo((float)(1 + (double)(float)(0.1f * (double)0.3f))));
        Assert.That(absmax[1], Is.EqualTo(1 - 0.75f * 0.3f));
        Assert.That(absmax[2], Is.EqualTo(1.4f));
    }

    [Test]
    public void GgufBlocksHoldElementsJAndJPlus16InByteJ()
    {
        var blocks = new byte[2 * 18];
        Array.Fill(blocks, (byte)0x88);
        (blocks[0], blocks[1]) = (0x00, 0x3E); // 1.5
        blocks[2] = 0x0F;
        blocks[17] = 0xF9;
        (blocks[18], blocks[19]) = (0x00, 0xC0); // -2
        blocks[20] = 0x78;
        float[] values = new ReferenceGgufWeight(2, 32, blocks).Decode();

        Assert.That(values[0], Is.EqualTo(1.5f * 7));
        Assert.That(values[16], Is.EqualTo(1.5f * -8));
        Assert.That(values[15], Is.EqualTo(1.5f * 1));
        Assert.That(values[31], Is.EqualTo(1.5f * 7));
        Assert.That(values[32 + 16], Is.EqualTo(-2f * -1));
        Assert.That(values.Count(value => value != 0), Is.EqualTo(5));
    }

    [Test]
    public void SizesThatDoNotFitTheShapeAreRefused()
    {
        Assert.That(() => new ReferenceNf4Weight(1, 3, 32, new byte[1], [1]), Throws.ArgumentException);
        Assert.That(() => new ReferenceNf4Weight(1, 33, 32, new byte[17], [1]), Throws.ArgumentException);
        Assert.That(() => new ReferenceGgufWeight(1, 33, new byte[18]), Throws.ArgumentException);
        Assert.That(() => new ReferenceGgufWeight(1, 64, new byte[18]), Throws.ArgumentException);
    }
}
