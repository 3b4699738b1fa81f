using LoraKernels.Verification.Reference;
using NUnit.Framework;

namespace LoraKernels.Tests.Reference;

/// <summary>The quantization rule on values small enough to follow by hand.</summary>
[TestFixture]
public sealed class ReferenceQuantizerTests
{
    [Test]
    public void EveryMapEntryQuantizesToItsOwnCode()
    {
        float[] map = ReferenceNf4Weight.StandardMap();
        for (int code = 0; code < map.Length; code++)
            Assert.That(ReferenceNf4Quantizer.Code(map[code] * 4, 4), Is.EqualTo(code));
    }

    [Test]
    public void BordersLieHalfwayBetweenNeighboursAndBelongToTheLower()
    {
        float[] map = ReferenceNf4Weight.StandardMap();
        for (int code = 0; code + 1 < map.Length; code++)
        {
            double middle = ((double)map[code] + map[code + 1]) / 2;
            Assert.That(ReferenceNf4Quantizer.Code((float)(middle - 1e-6), 1), Is.EqualTo(code));
            Assert.That(ReferenceNf4Quantizer.Code((float)(middle + 1e-6), 1), Is.EqualTo(code + 1));
        }

        Assert.That(ReferenceNf4Quantizer.Code(0.5016634166240692f, 1), Is.EqualTo(12));
        Assert.That(ReferenceNf4Quantizer.Code(MathF.BitIncrement(0.5016634166240692f), 1), Is.EqualTo(13));
    }

    [Test]
    public void GroupsZerosAndPaddingGiveTheBytesWorkedOutByHand()
    {
        var weights = new float[65];
        (weights[0], weights[1], weights[2]) = (-3, 1.5f, 3);
        weights[64] = -0.25f;
        (byte[] codes, float[] absmax) = ReferenceNf4Quantizer.Quantize(weights, 32);

        Assert.That(absmax, Is.EqualTo(new float[] { 3, 0, 0.25f }));
        Assert.That(codes[0], Is.EqualTo(0x0C), "-1, 0.5");
        Assert.That(codes[1], Is.EqualTo(0xF7), "1, 0");
        Assert.That(codes[16], Is.EqualTo(0x77), "a group of zeros");
        Assert.That(codes[32], Is.EqualTo(0x07), "-1, padding");
    }

    [Test]
    public void TheDynamicMapIsTheOneThatBitsAndBytesStores()
    {
        float[] map = ReferenceDynamicMap.Create();

        Assert.That(map, Has.Length.EqualTo(256));
        Assert.That(map, Is.Ordered.Ascending);
        Assert.That(map, Is.Unique);
        Assert.That((map[0], map[1], map[2]), Is.EqualTo((-0.99296875f, -0.97890625f, -0.96484375f)));
        Assert.That((map[126], map[127], map[128]), Is.EqualTo((-5.5e-7f, 0f, 5.5e-7f)));
        Assert.That((map[254], map[255]), Is.EqualTo((0.99296875f, 1f)));
        for (int i = 0; i < 127; i++)
            Assert.That(map[i], Is.EqualTo(-map[254 - i]));
    }

    [Test]
    public void NestedAbsmaxIsQuantizedAroundItsMean()
    {
        float[] map = ReferenceDynamicMap.Create();
        (byte[] codes, float[] scales, float offset) =
            ReferenceNf4Quantizer.QuantizeAbsmax([1, 2, 3, 6, 3], map, 2);

        Assert.That(offset, Is.EqualTo(3));
        Assert.That(scales, Is.EqualTo(new float[] { 2, 3, 0 }));
        Assert.That(map[codes[0]], Is.EqualTo(-0.99296875f), "(1 - 3) / 2 is nearest to the lowest entry");
        Assert.That(map[codes[1]], Is.EqualTo(-0.50078125f).Within(1e-7), "(2 - 3) / 2");
        Assert.That(map[codes[2]], Is.Zero);
        Assert.That(map[codes[3]], Is.EqualTo(1), "(6 - 3) / 3");
        Assert.That(map[codes[4]], Is.Zero, "a group without spread");
    }
}
