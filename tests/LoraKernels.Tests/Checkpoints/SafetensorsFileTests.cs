using System.Text;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class SafetensorsFileTests : FolderTests
{
    [Test]
    public void AHeaderThatIsNoJsonIsNotQuotedAtLength()
    {
        string path = Folder.Write("m.safetensors", SafetensorsBytes.Of($"{{\"a\":{new string('t', 5000)}}}", []));
        Assert.That(() => SafetensorsFile.Open(path).Dispose(),
            Throws.TypeOf<CheckpointException>().With.Message.Length.LessThan(2000).And.Message.Contains("not valid JSON"));
    }

    [Test]
    public void ReadsWhatTheBytesSay()
    {
        // A scalar, a matrix and an empty tensor, not in the order of their data; two spaces of padding.
        byte[] file =
        [
            0, 0, 0, 0, 0, 0, 0, 0,
            .. """{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[4,"""u8,
            .. """8]},"a":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},"e":{"dtype":"I64","shape":[0,"""u8,
            .. """9],"data_offsets":[8,8]}}  """u8,
            0x00, 0x3c, 0x00, 0xc0, 0xdb, 0x0f, 0x49, 0x40,
        ];
        file[0] = (byte)(file.Length - 16);
        string path = Folder.Write("golden.safetensors", file);
        using var opened = SafetensorsFile.Open(path);
        Assert.Multiple(() =>
        {
            Assert.That(opened.Path, Is.EqualTo(path));
            Assert.That(opened.Metadata, Is.EquivalentTo(new Dictionary<string, string> { ["format"] = "pt" }));
            Assert.That(opened.Tensors.Select(t => t.Name), Is.EqualTo("abe".Select(c => c.ToString())));
            Assert.That(opened.Find("a")!.Shape, Is.EqualTo(new long[] { 2, 1 }));
            Assert.That(opened.Find("a")!.Type, Is.EqualTo(TensorType.F16));
            Assert.That(opened.Find("a")!.Offset, Is.EqualTo(file.Length - 8));
            Assert.That(opened.Read("a"), Is.EqualTo(new byte[] { 0x00, 0x3c, 0x00, 0xc0 }));
            Assert.That(BitConverter.ToSingle(opened.Read("b")), Is.EqualTo(MathF.PI));
            Assert.That(opened.Find("b")!.Shape, Is.Empty);
            Assert.That(opened.Read("e"), Is.Empty);
            Assert.That(opened.Find("c"), Is.Null);
        });
        byte[] middle = new byte[2];
        opened.Read("b", middle, 1);
        Assert.That(middle, Is.EqualTo(new byte[] { 0x0f, 0x49 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => opened.Read("b", new byte[2], 3));
        Assert.Throws<ArgumentOutOfRangeException>(() => opened.Read("b", new byte[2], -1));
        Refusals.Expect(() => opened.Read("c"), path, "c", "no such tensor", "3");
    }

    [TestCase("BOOL", 1, 1), TestCase("U8", 1, 1), TestCase("I8", 1, 1), TestCase("F8_E5M2", 1, 1)]
    [TestCase("F8_E4M3", 1, 1), TestCase("F8_E8M0", 1, 1), TestCase("F8_E4M3FNUZ", 1, 1)]
    [TestCase("F8_E5M2FNUZ", 1, 1), TestCase("I16", 1, 2), TestCase("U16", 1, 2), TestCase("F16", 1, 2)]
    [TestCase("BF16", 1, 2), TestCase("I32", 1, 4), TestCase("U32", 1, 4), TestCase("F32", 1, 4)]
    [TestCase("I64", 1, 8), TestCase("U64", 1, 8), TestCase("F64", 1, 8), TestCase("C64", 1, 8)]
    [TestCase("F4", 2, 1), TestCase("F6_E2M3", 4, 3), TestCase("F6_E3M2", 4, 3)]
    public void KnowsEveryTypesSize(string dtype, int elements, int bytes)
    {
        string path = Folder.Write("t.safetensors", SafetensorsBytes.Of(
            $$$"""{"t":{"dtype":"{{{dtype}}}","shape":[3,{{{elements}}}],"data_offsets":[0,{{{3 * bytes}}}]}}""",
            SafetensorsBytes.Data(3 * bytes)));
        using var file = SafetensorsFile.Open(path);
        Assert.That(file.Read("t"), Is.EqualTo(SafetensorsBytes.Data(3 * bytes)));
    }

    private const string T = """{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    /// <summary>A header over 8 bytes of data that is refused with these words and names.</summary>
    private static TestCaseData Case(string name, string header, string? tensor, params string[] parts) =>
        new TestCaseData(header, tensor, parts).SetArgDisplayNames(name);

    private static IEnumerable<TestCaseData> BadFields()
    {
        yield return Case("tensor twice", T[..^1] + "," + T[1..], "t", "twice");
        yield return Case("metadata twice", """{"__metadata__":{},"__metadata__":{}}""", "__metadata__", "twice");
        yield return Case("metadata key twice", """{"__metadata__":{"k":"1","k":"2"}}""", "__metadata__", "'k'", "twice");
        yield return Case("field twice", T.Replace("\"shape\"", "\"dtype\":\"F32\",\"shape\""), "t", "'dtype' twice");
        yield return Case("metadata not an object", """{"__metadata__":[]}""", "__metadata__", "object", "list");
        yield return Case("metadata not a string", """{"__metadata__":{"k":7}}""", "__metadata__", "'k'", "found 7");
        yield return Case("tensor not an object", """{"t":7}""", "t", "expected an object", "7");
        yield return Case("unknown dtype", T.Replace("F32", "F33"), "t", "'F33'", "BF16");
        yield return Case("ggml dtype", T.Replace("F32", "Q4_0"), "t", "'Q4_0'");
        yield return Case("dtype a number", T.Replace("\"F32\"", "32"), "t", "dtype", "32");
        yield return Case("no dtype", """{"t":{"shape":[2],"data_offsets":[0,8]}}""", "t", "no dtype");
        yield return Case("no shape", """{"t":{"dtype":"F32","data_offsets":[0,8]}}""", "t", "no shape");
        yield return Case("no offsets", """{"t":{"dtype":"F32","shape":[2]}}""", "t", "no data_offsets");
        yield return Case("unknown field", T.Replace("\"shape\"", "\"strides\":[1],\"shape\""), "t", "'strides'");
    }

    private static IEnumerable<TestCaseData> BadNumbers()
    {
        yield return Case("one offset", T.Replace("[0,8]", "[0]"), "t", "two data_offsets");
        yield return Case("three offsets", T.Replace("[0,8]", "[0,8,8]"), "t", "more than 2");
        yield return Case("shape a number", T.Replace("[2]", "2"), "t", "list", "shape");
        yield return Case("negative dimension", T.Replace("[2]", "[-2]"), "t", "-2", "shape");
        yield return Case("fractional dimension", T.Replace("[2]", "[2.0]"), "t", "2.0");
        yield return Case("dimension over 2^63", T.Replace("[2]", "[9223372036854775808]"), "t", "9223372036854775808");
        yield return Case("product over 2^64", T.Replace("[2]", "[4294967296,4294967296,4294967297]"), "t", "2^63");
        yield return Case("bytes over 2^63", T.Replace("[2]", "[4611686018427387906]"), "t", "2^63");
        yield return Case("65 dimensions", T.Replace("[2]", $"[{string.Join(',', Enumerable.Repeat(1, 65))}]"), "t", "64");
        yield return Case("size too small", T.Replace("[2]", "[1]"), "t", "4 bytes", "hold 8");
        yield return Case("size too large", T.Replace("[2]", "[3]"), "t", "12 bytes", "hold 8");
        yield return Case("half a byte", T.Replace("F32", "F4").Replace("[2]", "[15]"), "t", "whole number of bytes");
        yield return Case("begin after end", T.Replace("[0,8]", "[8,0]"), "t", "8 to 0");
        yield return Case("end outside", T.Replace("[0,8]", "[0,12]").Replace("[2]", "[3]"), "t", "0 to 12", "8 bytes");
        yield return Case("end far outside", T.Replace("[0,8]", "[0,9223372036854775807]"), "t", "8 bytes");
    }

    private static IEnumerable<TestCaseData> BadCoverOrJson()
    {
        yield return Case("nothing covers the data", "{}", null, "ends at byte");
        yield return Case("trailing data", T.Replace("[0,8]", "[0,4]").Replace("[2]", "[1]"), null, "ends at byte");
        yield return Case("hole at the front", T.Replace("[0,8]", "[4,8]").Replace("[2]", "[1]"), "t", "holes");
        yield return Case("overlap", """
            {"t":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},"u":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}
            """, "u", "overlaps 't'");
        yield return Case("same bytes twice", """
            {"t":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"u":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}
            """, "u", "overlaps 't'");
        yield return Case("hole between", """
            {"t":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"u":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}
            """, "u", "holes");
        yield return Case("not JSON", "{nonsense}", null, "not valid JSON");
        yield return Case("cut JSON", T[..^1], null, "not valid JSON");
        yield return Case("two roots", T + "{}", null, "not valid JSON");
        yield return Case("trailing comma", """{"__metadata__":{},}""", null, "not valid JSON");
        yield return Case("comment", "{/**/}", null, "not valid JSON");
        yield return Case("too deep", T.Replace("[2]", "[[2]]"), null, "not valid JSON", "depth");
        yield return Case("half a character", T.Replace("\"t\"", "\"\\ud800\""), null, "not valid Unicode");
        yield return Case("half a character in metadata", """{"__metadata__":{"k":"\udc00"}}""", "__metadata__",
            "not valid Unicode");
        yield return Case("a list", "[]", null, "expected '{'");
    }

    [TestCaseSource(nameof(BadFields)), TestCaseSource(nameof(BadNumbers)), TestCaseSource(nameof(BadCoverOrJson))]
    public void RefusesBadHeaders(string header, string? tensor, string[] parts)
    {
        string path = Folder.Write("bad.safetensors", SafetensorsBytes.Of(header, SafetensorsBytes.Data(8)));
        Refusals.Expect(() => SafetensorsFile.Open(path), path, tensor, parts);
    }

    [TestCase(0UL, "0 bytes"), TestCase(1UL, "1 bytes"), TestCase(100_000_001UL, "100000001")]
    [TestCase(93UL, "93 bytes"), TestCase(ulong.MaxValue, "18446744073709551615"), TestCase(1UL << 63, "left in the file")]
    public void RefusesHeaderLengthsThatTheFileDoesNotHave(ulong length, string part)
    {
        byte[] bytes = new byte[100];
        BitConverter.TryWriteBytes(bytes, length);
        bytes[8] = (byte)'{';
        string path = Folder.Write("bad.safetensors", bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Refusals.Expect(() => SafetensorsFile.Open(path), path, null, part);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 18));
    }

    [Test]
    public void RefusesHeadersThatAreNotUtf8()
    {
        byte[] header = Encoding.UTF8.GetBytes("""{"__metadata__":{"k":"?"}}""");
        header[Array.IndexOf(header, (byte)'?')] = 0xff;
        string path = Folder.Write("bad.safetensors", SafetensorsBytes.Of(header, []));
        Refusals.Expect(() => SafetensorsFile.Open(path), path, null, "UTF-8");
    }

    [TestCase(1), TestCase(9)]
    public void RefusesFilesShorterThanAnyHeader(int length)
    {
        string path = Folder.Write("short.safetensors", new byte[length]);
        Refusals.Expect(() => SafetensorsFile.Open(path), path, null, $"{length} bytes long");
    }

    [Test]
    public void RefusesWhatIsNoFile()
    {
        string empty = Folder.Write("empty.safetensors", "");
        Refusals.Expect(() => SafetensorsFile.Open(empty), empty, null, "empty");
        Refusals.Expect(() => SafetensorsFile.Open(Folder.Path), Folder.Path, null, "folder");
        string missing = Folder.Combine("missing.safetensors");
        Refusals.Expect(() => SafetensorsFile.Open(missing), missing, null, "no such file");
        string loop = Folder.Combine("loop.safetensors");
        File.CreateSymbolicLink(loop, loop);
        Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(loop));
        if (OperatingSystem.IsLinux())
            Refusals.Expect(() => SafetensorsFile.Open("/dev/zero"), "/dev/zero", null, "empty");
    }

    [Test]
    public void NamesTheTensorWhenTheFileIsCutShortWhileOpen()
    {
        string path = Folder.Write("cut.safetensors", SafetensorsBytes.Of(
            """{"t":{"dtype":"U8","shape":[4000],"data_offsets":[0,4000]}}""", SafetensorsBytes.Data(4000)));
        using var file = SafetensorsFile.Open(path);
        Assert.That(file.Read("t"), Has.Length.EqualTo(4000));
        using (var writer = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            writer.SetLength(1000);
        Refusals.Expect(() => file.Read("t"), path, "t", "ends at byte 1000", "cut short");
    }

    [Test]
    public void QuotesNamesFromTheFileOnOneShortLine()
    {
        string name = "a\\n\\u001b" + new string('x', 5000);
        string path = Folder.Write("long.safetensors", SafetensorsBytes.Of($$"""{"{{name}}":7}"""));
        var error = Assert.Throws<CheckpointException>(() => SafetensorsFile.Open(path))!;
        Assert.That(error.Message, Does.Contain("'a\\u000a\\u001bxxx").And.Not.Contain("\n").And.Length.LessThan(1000));
        Assert.That(error.Tensor, Has.Length.EqualTo(5003));
    }
}
