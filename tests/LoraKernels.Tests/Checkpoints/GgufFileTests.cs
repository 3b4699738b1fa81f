using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class GgufFileTests : FolderTests
{
    private const uint Array = 9;
    private const uint Text = 8;

    [TestCase(2u), TestCase(3u)]
    public void ReadsWhatTheBytesSay(uint version)
    {
        byte[] bytes = new GgufBytes().Header(2, 15, version)
            .Key("u8", 0).Raw([200]).Key("i8", 1).Raw([0xff]).Key("u16", 2).Raw([1, 2]).Key("i16", 3).Raw([0xfe, 0xff])
            .Key("u32", 4).Raw([1, 0, 0, 0x80]).Key("i32", 5).Raw([0xff, 0xff, 0xff, 0xff])
            .Key("f32", 6).Raw([0, 0, 0x80, 0x3f]).Key("bool", 7).Raw([1]).Key("text", Text).Text("né")
            .Key("u64", 10).Raw([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).Key("i64", 11).Raw([2, 0, 0, 0, 0, 0, 0, 0])
            .Key("f64", 12).Raw([0, 0, 0, 0, 0, 0, 0xf0, 0xbf])
            .Key("texts", Array).UInt32(Text).UInt64(2).Text("a").Text("")
            .Key("numbers", Array).UInt32(3).UInt64(2).Raw([1, 0, 0xff, 0xff])
            .Key("nested", Array).UInt32(Array).UInt64(1).UInt32(7).UInt64(3).Raw([1, 0, 1])
            .Tensor("w", 2, 32, 64, 3).Tensor("b", 0, 0, 5)
            .Pad().Raw(SafetensorsBytes.Data(32)).Raw(SafetensorsBytes.Data(108)).ToArray();
        string path = Folder.Write("golden.gguf", bytes);
        using var file = GgufFile.Open(path);
        object[] expected = [(byte)200, (sbyte)-1, (ushort)0x201, (short)-2, 0x80000001u, -1, 1f, true, "né",
            ulong.MaxValue, 2L, -1.0];
        Assert.Multiple(() =>
        {
            Assert.That(file.Version, Is.EqualTo(version));
            Assert.That(file.Metadata.Values.Take(12).Select(v => v.Value), Is.EqualTo(expected));
            Assert.That(file.Metadata["texts"].Value, Is.EqualTo("a,".Split(',')));
            Assert.That(file.Metadata["numbers"].Value, Is.EqualTo(new short[] { 1, -1 }));
            Assert.That(file.Metadata["numbers"].ElementType, Is.EqualTo(GgufValueType.Int16));
            Assert.That(((GgufValue[])file.Metadata["nested"].Value)[0].Value, Is.EqualTo("101".Select(c => c == '1')));
            Assert.That(file.Metadata["u32"].AsInteger(), Is.EqualTo(0x80000001));
            Assert.That(file.Metadata["u64"].AsInteger(), Is.Null);
            Assert.That(file.Metadata["text"].AsText(), Is.EqualTo("né"));
            Assert.That(file.Metadata["texts"].ToString(), Is.EqualTo("Text[2]"));
            Assert.That(file.Tensors.Select(t => t.Name), Is.EqualTo("b,w".Split(',')));
            Assert.That(file.Find("w")!.Shape, Is.EqualTo(new long[] { 3, 64 }));
            Assert.That(file.Find("w")!.Type, Is.EqualTo(TensorType.Q4_0));
            Assert.That(file.Read("b"), Is.EqualTo(SafetensorsBytes.Data(20)));
            Assert.That(file.Read("w"), Is.EqualTo(SafetensorsBytes.Data(108)));
        });
        byte[] part = new byte[3];
        file.Read("w", part, 5);
        Assert.That(part, Is.EqualTo(SafetensorsBytes.Data(8)[5..]));
        Assert.Throws<ArgumentOutOfRangeException>(() => file.Read("w", part, 106));
        Refusals.Expect(() => file.Read("x"), path, "x", "no such tensor");
    }

    /// <summary>ggml's numbers, weights a block and bytes a block.</summary>
    [TestCase(0u, 1, 4), TestCase(1u, 1, 2), TestCase(2u, 32, 18), TestCase(3u, 32, 20), TestCase(6u, 32, 22)]
    [TestCase(7u, 32, 24), TestCase(8u, 32, 34), TestCase(9u, 32, 36), TestCase(10u, 256, 84), TestCase(11u, 256, 110)]
    [TestCase(12u, 256, 144), TestCase(13u, 256, 176), TestCase(14u, 256, 210), TestCase(15u, 256, 292)]
    [TestCase(16u, 256, 66), TestCase(17u, 256, 74), TestCase(18u, 256, 98), TestCase(19u, 256, 50)]
    [TestCase(20u, 32, 18), TestCase(21u, 256, 110), TestCase(22u, 256, 82), TestCase(23u, 256, 136)]
    [TestCase(24u, 1, 1), TestCase(25u, 1, 2), TestCase(26u, 1, 4), TestCase(27u, 1, 8), TestCase(28u, 1, 8)]
    [TestCase(29u, 256, 56), TestCase(30u, 1, 2), TestCase(34u, 256, 54), TestCase(35u, 256, 66)]
    [TestCase(39u, 32, 17), TestCase(40u, 64, 36)]
    public void KnowsEveryTypesSize(uint type, int weights, int bytes)
    {
        string path = Folder.Write("t.gguf", new GgufBytes().Header(1, 0).Tensor("t", type, 0, (ulong)weights * 2, 3)
            .Pad().Raw(SafetensorsBytes.Data(6 * bytes)).ToArray());
        using (var file = GgufFile.Open(path)) Assert.That(file.Read("t"), Is.EqualTo(SafetensorsBytes.Data(6 * bytes)));
        using (var stream = File.OpenWrite(path)) stream.SetLength(stream.Length - 1);
        Refusals.Expect(() => GgufFile.Open(path), path, "t", $"{6 * bytes} bytes", "cut short");
    }

    [Test]
    public void AlignsByTheFilesOwnAlignment()
    {
        string path = Folder.Write("t.gguf", new GgufBytes().Header(2, 1).Key("general.alignment", 4).UInt32(128)
            .Tensor("a", 24, 0, 3).Tensor("b", 24, 128, 3).Pad(128).Raw([1, 2, 3]).Pad(128).Raw([4, 5, 6]).ToArray());
        using var file = GgufFile.Open(path);
        Assert.That(file.Read("b"), Is.EqualTo(new byte[] { 4, 5, 6 }));
    }

    [Test]
    public void ReadsStringsLongerThanItsBuffer()
    {
        string text = new('x', 200_000);
        string path = Folder.Write("t.gguf", new GgufBytes().Header(0, 3).Key("a", Text).Text(text)
            .Key("b", Array).UInt32(4).UInt64(50_000).Raw(new byte[200_000]).Key("c", Text).Text("end").ToArray());
        using var file = GgufFile.Open(path);
        Assert.That(file.Metadata["a"].AsText(), Is.EqualTo(text));
        Assert.That(file.Metadata["c"].AsText(), Is.EqualTo("end"));
    }

    private static TestCaseData Case(string name, GgufBytes bytes, string? subject, params string[] parts) =>
        new TestCaseData(bytes.ToArray(), subject, parts).SetArgDisplayNames(name);

    private static GgufBytes One(ulong tensors = 1, ulong entries = 0) => new GgufBytes().Header(tensors, entries);

    private static GgufBytes Nested(int depth)
    {
        var bytes = One(0, 1).Key("k", Array);
        for (int i = 0; i < depth; i++) bytes.UInt32(Array).UInt64(1);
        return bytes.UInt32(0).UInt64(1).Raw([1]);
    }

    private static IEnumerable<TestCaseData> BadMetadata()
    {
        yield return Case("version 1", new GgufBytes().Header(0, 0, 1), null, "version 1", "2 and 3");
        yield return Case("version 4", new GgufBytes().Header(0, 0, 4), null, "version 4");
        yield return Case("version 0", new GgufBytes().Header(0, 0, 0), null, "version 0");
        yield return Case("big endian", new GgufBytes().Header(0, 0, 3u << 24), null, "big-endian");
        yield return Case("no counts", new GgufBytes().Raw("GGUF"u8).UInt32(3), null, "ends at byte 8", "tensor count");
        yield return Case("tensor count", One(ulong.MaxValue), null, "tensor count is 18446744073709551615");
        yield return Case("tensor count over the rest", One(1), null, "tensor count is 1", "hold at most 0");
        yield return Case("metadata count", One(0, 1UL << 62).Raw(new byte[40]), null, "metadata count");
        yield return Case("key length", One(0, 1).UInt64(1UL << 40).Raw(new byte[30]), null, "name of metadata entry 0");
        yield return Case("key over 65535", One(0, 1).Text(new string('k', 65536)).Raw(new byte[30]), null, "65535");
        yield return Case("empty key", One(0, 1).Key("", 0).Raw([1]).Pad(), null, "is empty");
        yield return Case("key not UTF-8", One(0, 1).UInt64(1).Raw([0xff]).UInt32(0).Raw([1]), null, "UTF-8");
        yield return Case("key twice", One(0, 2).Key("k", 0).Raw([1]).Key("k", 0).Raw([1]), "k", "twice");
        yield return Case("value type", One(0, 1).Key("k", 13).Raw(new byte[8]), "k", "value type 13");
        yield return Case("value cut", One(0, 1).Key("key", 12).Raw([1]), "key", "middle of the value");
        yield return Case("boolean", One(0, 1).Key("k", 7).Raw([2]), "k", "boolean 2");
        yield return Case("boolean in array", One(0, 1).Key("k", Array).UInt32(7).UInt64(2).Raw([1, 9]), "k", "boolean 9");
        yield return Case("string length", One(0, 1).Key("k", Text).UInt64(1UL << 63), "k", "string's length");
        yield return Case("array length", One(0, 1).Key("k", Array).UInt32(4).UInt64(1UL << 60).Raw(new byte[16]), "k",
            "array's length is 1152921504606846976", "at most 4");
        yield return Case("string array length", One(0, 1).Key("k", Array).UInt32(Text).UInt64(3).Raw(new byte[16]), "k",
            "at most 2");
        yield return Case("element type", One(0, 1).Key("k", Array).UInt32(99).UInt64(0), "k", "element type 99");
        yield return Case("arrays too deep", Nested(4), "k", "deeper than 4");
        yield return Case("alignment type", One(0, 1).Key("general.alignment", 10).UInt64(32), "general.alignment",
            "UInt64", "UInt32");
        foreach (uint alignment in (uint[])[0, 1, 4, 48, 1 << 21, uint.MaxValue])
        {
            yield return Case($"alignment {alignment}", One(0, 1).Key("general.alignment", 4).UInt32(alignment),
                "general.alignment", $"{alignment}", "power of two");
        }
    }

    private static IEnumerable<TestCaseData> BadTensors()
    {
        yield return Case("tensor name cut", One().UInt64(100).Raw(new byte[30]), null, "name of tensor 0");
        yield return Case("tensor twice", One(2).Tensor("t", 24, 0, 1).Tensor("t", 24, 32, 1).Pad().Raw(new byte[64]), "t",
            "twice");
        yield return Case("5 dimensions", One().Tensor("t", 24, 0, 1, 1, 1, 1, 1).Pad().Raw([1]), "t", "5 dimensions");
        yield return Case("dimension over 2^63", One().Tensor("t", 24, 0, 1UL << 63).Pad().Raw([1]), "t",
            "9223372036854775808");
        yield return Case("product over 2^64", One().Tensor("t", 24, 0, 1UL << 32, 1UL << 32).Pad().Raw([1]), "t", "2^63");
        yield return Case("bytes over 2^63", One().Tensor("t", 27, 0, 1UL << 61).Pad().Raw([1]), "t", "2^63");
        yield return Case("half a block", One().Tensor("t", 2, 0, 48, 2).Pad().Raw(new byte[54]), "t", "blocks of 32");
        foreach (uint type in (uint[])[4, 5, 31, 36, 99, uint.MaxValue])
            yield return Case($"type {type}", One().Tensor("t", type, 0, 32).Pad().Raw([1]), "t", $"ggml type {type}");
        yield return Case("offset unaligned", One().Tensor("t", 24, 16, 1).Pad().Raw(new byte[64]), "t", "16", "alignment");
        yield return Case("offset outside", One().Tensor("t", 24, 64, 1).Pad().Raw(new byte[64]), "t", "offset 64");
        yield return Case("offset over 2^63", One().Tensor("t", 24, ulong.MaxValue - 31, 1).Pad().Raw(new byte[64]), "t",
            "cut short");
        yield return Case("end outside", One().Tensor("t", 24, 32, 33).Pad().Raw(new byte[64]), "t", "33 bytes");
        yield return Case("no data section", One().Tensor("t", 24, 0, 1), "t", "only 0");
        yield return Case("overlap", One(2).Tensor("t", 24, 0, 33).Tensor("u", 24, 32, 1).Pad().Raw(new byte[64]), "u",
            "overlaps 't'");
        yield return Case("same bytes", One(2).Tensor("t", 24, 0, 1).Tensor("u", 24, 0, 1).Pad().Raw(new byte[64]), "u",
            "overlaps 't'");
    }

    [TestCaseSource(nameof(BadMetadata)), TestCaseSource(nameof(BadTensors))]
    public void RefusesBadFiles(byte[] bytes, string? subject, string[] parts)
    {
        string path = Folder.Write("bad.gguf", bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refusals.Expect(() => GgufFile.Open(path), path, subject, parts);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan((1 << 18) + 16 * bytes.Length));
    }

    [Test]
    public void AllowsArraysInArraysToFourLevels()
    {
        var bytes = new GgufBytes().Header(0, 1).Key("k", Array).UInt32(Array).UInt64(1).UInt32(Array).UInt64(1)
            .UInt32(Array).UInt64(1).UInt32(0).UInt64(1).Raw([7]);
        using var file = GgufFile.Open(Folder.Write("deep.gguf", bytes.ToArray()));
        Assert.That(file.Metadata["k"].ElementType, Is.EqualTo(GgufValueType.Array));
    }

    [Test]
    public void RefusesOtherKindsOfFile()
    {
        string safetensors = Folder.Write("s.gguf", SafetensorsBytes.Of("{}"));
        Refusals.Expect(() => GgufFile.Open(safetensors), safetensors, null, "is a safetensors file", "expected a GGUF");
        string junk = Folder.Write("junk.gguf", new byte[] { 0xde, 0xad, 0xbe, 0xef, 1 });
        Refusals.Expect(() => GgufFile.Open(junk), junk, null, "de ad be ef", "begins with 'GGUF'");
    }

    [Test]
    public void NamesTheTensorWhenTheFileIsCutShortWhileOpen()
    {
        string path = Folder.Write("cut.gguf", new GgufBytes().Header(1, 0).Tensor("t", 24, 0, 4000).Pad()
            .Raw(SafetensorsBytes.Data(4000)).ToArray());
        using var file = GgufFile.Open(path);
        using (var writer = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            writer.SetLength(1000);
        Refusals.Expect(() => file.Read("t"), path, "t", "ends at byte 1000", "cut short");
    }
}
