using NUnit.Framework;

namespace LoraKernels.Tests.Api;

/// <summary>What the host-side descriptions refuse, and how they say it.</summary>
public sealed class DescriptionTests
{
    [Test]
    public void HostMatrixCountsItsBytes()
    {
        Assert.That(
            () => new HostMatrix(new byte[11], 2, 3, DType.Float16),
            Throws.ArgumentException.With.Message.Contains("11 bytes").And.Message.Contains("[2, 3] has 12"));
        Assert.That(
            () => new HostMatrix(default, -1, 3, DType.Float32),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Property("ParamName").EqualTo("rows"));
        Assert.That(
            () => new HostMatrix(default, long.MaxValue, 3, DType.Float32),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("more than 2⁶³ - 1 bytes"));
        Assert.That(
            () => new HostMatrix(new byte[4], 1, 1, (DType)7),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("Float32, Float16 or BFloat16"));
        Assert.That(new HostMatrix(default, 0, 3, DType.Float32).Data.Length, Is.Zero);
    }

    [Test]
    public void HostMatrixCopiesElementsOfEveryType()
    {
        float[] single = [1, -2];
        HostMatrix matrix = HostMatrix.From(single, 1, 2);
        single[0] = 9;

        Assert.That(matrix.Data.ToArray(), Is.EqualTo(new byte[] { 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0 }));
        Assert.That(HostMatrix.From([(Half)1], 1, 1).DType, Is.EqualTo(DType.Float16));
        Assert.That(HostMatrix.From([(BFloat16)1f], 1, 1).Data.ToArray(), Is.EqualTo(new byte[] { 0x80, 0x3F }));
        Assert.That(
            () => HostMatrix.From([1.0], 1, 1),
            Throws.InstanceOf<NotSupportedException>().With.Message.Contains("System.Double"));
        Assert.That(() => HostMatrix.From([1f], 2, 2), Throws.ArgumentException.With.Message.Contains("1 elements"));
        Assert.That(() => HostMatrix.From((float[])null!, 0, 0), Throws.ArgumentNullException);
    }

    [TestCase(5, 5, 12, 1)]
    [TestCase(-1, 5, 8, 1)]
    [TestCase(0, 5, 4, 2)]
    [TestCase(0, 5, 5, -1)]
    [TestCase(0, 5, 5, long.MaxValue)]
    public void ModuleSlicesAscendInsideTheOutput(long offset0, long size0, long offset1, long size1) =>
        Assert.That(
            () => new LoraModule("qkv", 8, 12, new("q", offset0, size0), new("k", offset1, size1)),
            Throws.ArgumentException.With.Message.Contains("of module 'qkv'"));

    [Test]
    public void ModuleHasANameAndSizes()
    {
        Assert.That(() => new LoraModule("", 8, 8), Throws.ArgumentException);
        Assert.That(() => new LoraModule("o", -1, 8), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new LoraModule("o", 8, -1), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => new LoraModule("o", 8, 8, new OutputSlice("", 0, 8)), Throws.ArgumentException);
    }

    [Test]
    public void FactorsAgreeOnTheirRank()
    {
        HostMatrix a = HostMatrix.From(new float[8], 2, 4), b = HostMatrix.From(new float[9], 3, 3);

        Assert.That(
            () => new LoraFactors("o", a, b, 1),
            Throws.ArgumentException.With.Message.Contains("has rank 2").And.Message.Contains("has rank 3"));
        Assert.That(
            () => new LoraFactors("o", a, HostMatrix.From(new float[6], 3, 2), float.NaN),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("finite"));
        Assert.That(() => new LoraFactors("o", null!, b, 1), Throws.ArgumentNullException);
    }

    [Test]
    public void AdapterCountsItsBytes()
    {
        LoraAdapter adapter = Sample.Adapter();

        Assert.That(adapter.Bytes, Is.EqualTo(4 * (4 * (64 + 48) + 3 * (64 + 24) + 9 * (64 + 12))));
        Assert.That(() => new LoraAdapter("a", [null!]), Throws.ArgumentException);
        Assert.That(() => new LoraAdapter("", []), Throws.ArgumentException);
    }

    [Test]
    public void WeightCountsItsBytes()
    {
        var tensors = new WeightTensors
        {
            Format = WeightFormat.BitsAndBytesNf4,
            OutFeatures = 1,
            InFeatures = 64,
            GroupSize = 64,
            Codes = new byte[32],
            Scales = new byte[4],
            Table = new byte[64],
            OuterTable = new byte[3],
            OuterScales = new byte[2],
        };

        Assert.That(tensors.Bytes, Is.EqualTo(105));
    }

    [Test]
    public void CapacityForRowsCountsRankTiles()
    {
        Assert.That(
            LoraBatchCapacity.ForRows(5, 17, 2, 3), Is.EqualTo(new LoraBatchCapacity(5, 10, 10, 90)));
        Assert.That(LoraBatchCapacity.ForRows(1, 8).MaxRankTiles, Is.EqualTo(1));
        Assert.That(
            () => LoraBatchCapacity.ForRows(-1, 8), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => LoraBatchCapacity.ForRows(1, 0), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => LoraBatchCapacity.ForRows(long.MaxValue, 9), Throws.InstanceOf<OverflowException>());
    }
}
