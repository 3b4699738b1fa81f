using FsCheck;
using FsCheck.Fluent;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class SafetensorsWriterTests : FolderTests
{
    private static readonly TensorType[] Types =
        [TensorType.U8, TensorType.F16, TensorType.BF16, TensorType.F32, TensorType.I64, TensorType.Bool];

    [Test]
    public void WritesTheFormatByteForByte()
    {
        string path = Folder.Combine("golden.safetensors");
        SafetensorsWriter.Write(path,
            [
                new SafetensorsEntry("b", TensorType.U8, [3], new byte[] { 1, 2, 3 }),
                new SafetensorsEntry("a", TensorType.F16, [1, 2], new byte[] { 0x00, 0x3c, 0x00, 0xc0 }),
            ],
            new Dictionary<string, string> { ["format"] = "pt" });
        // The wider type first, so that it is aligned; spaces up to a multiple of 8.
        byte[] header = """
            {"__metadata__":{"format":"pt"},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]}}
            """u8.ToArray();
        byte[] expected = [(byte)((header.Length + 7) / 8 * 8), 0, 0, 0, 0, 0, 0, 0, .. header,
            .. Enumerable.Repeat((byte)' ', (8 - header.Length % 8) % 8), 0x00, 0x3c, 0x00, 0xc0, 1, 2, 3];
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(expected));
    }

    [Test]
    public void GivesBackWhatWasWritten()
    {
        var tensor = from type in Gen.Elements(Types)
                     from shape in Gen.ListOf(Gen.Choose(0, 4), 3)
                     from name in Gen.NonEmptyListOf(Gen.Elements("abc.\"\\/é漢\u0001".ToCharArray()))
                     select (Type: type, Shape: shape.Select(d => (long)d).ToArray(), Name: string.Concat(name));
        Prop.ForAll(Arb.From(Gen.ListOf(tensor)), list =>
        {
            var tensors = list.DistinctBy(t => t.Name).Select((t, i) => (t.Name, t.Type, t.Shape, Data: DataOf(t.Type,
                t.Shape, i))).ToArray();
            string path = Folder.Combine("round.safetensors");
            SafetensorsWriter.Write(path, tensors.Select(t => new SafetensorsEntry(t.Name, t.Type, t.Shape, t.Data)));
            using var file = SafetensorsFile.Open(path);
            Assert.That(file.Tensors, Has.Count.EqualTo(tensors.Length));
            foreach (var (name, type, shape, data) in tensors)
            {
                Assert.That(file.Find(name)!.Type, Is.EqualTo(type));
                Assert.That(file.Find(name)!.Shape, Is.EqualTo(shape));
                Assert.That(file.Read(name), Is.EqualTo(data));
                Assert.That(file.Find(name)!.Offset % Math.Max(1, SizeOf(type)), Is.Zero, "aligned to its elements");
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(100));
    }

    [Test]
    public void StreamsDataWithoutHoldingIt()
    {
        const int Pieces = 64;
        byte[] piece = SafetensorsBytes.Data(1 << 20);
        var entry = new SafetensorsEntry("big", TensorType.U8, [Pieces, piece.Length], stream =>
        {
            for (int i = 0; i < Pieces; i++) stream.Write(piece);
        });
        string path = Folder.Combine("big.safetensors");
        long before = GC.GetAllocatedBytesForCurrentThread();
        SafetensorsWriter.Write(path, [entry]);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
        using var file = SafetensorsFile.Open(path);
        byte[] last = new byte[piece.Length];
        file.Read("big", last, (Pieces - 1L) * piece.Length);
        Assert.That(last, Is.EqualTo(piece));
    }

    [TestCase(3), TestCase(5)]
    public void LeavesTheOldFileWhenAnEntryWritesAnotherSize(int written)
    {
        string path = Folder.Write("kept.safetensors", "old");
        var entry = new SafetensorsEntry("t", TensorType.U8, [4], stream => stream.Write(new byte[written]));
        var error = Assert.Throws<InvalidOperationException>(() => SafetensorsWriter.Write(path, [entry]))!;
        Assert.That(error.Message, Does.Contain("t has 4 bytes").And.Contain($"wrote {written}"));
        Assert.That(File.ReadAllText(path), Is.EqualTo("old"));
        Assert.That(Directory.GetFiles(Folder.Path), Has.Length.EqualTo(1), "no temporary file is left");
    }

    [Test]
    public void RefusesEntriesThatTheFormatDoesNotHave()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => new SafetensorsEntry("t", TensorType.Q4_0, [32], new byte[18]),
                Throws.ArgumentException.With.Message.Contains("Q4_0 is not a type of safetensors"));
            Assert.That(() => new SafetensorsEntry("t", TensorType.F32, [2], new byte[7]),
                Throws.ArgumentException.With.Message.Contains("takes 8 bytes, got 7"));
            Assert.That(() => new SafetensorsEntry("t", TensorType.F32, [-1], new byte[4]),
                Throws.ArgumentException.With.Message.Contains("[-1]"));
            Assert.That(() => new SafetensorsEntry("t", TensorType.F32, [long.MaxValue], _ => { }),
                Throws.ArgumentException.With.Message.Contains("no size"));
            Assert.That(() => new SafetensorsEntry("__metadata__", TensorType.U8, [0], Array.Empty<byte>()),
                Throws.ArgumentException.With.Message.Contains("metadata"));
            var twice = new SafetensorsEntry("t", TensorType.U8, [0], Array.Empty<byte>());
            Assert.That(() => SafetensorsWriter.Write(Folder.Combine("x"), [twice, twice]),
                Throws.ArgumentException.With.Message.Contains("twice"));
        });
    }

    private static byte[] DataOf(TensorType type, long[] shape, int seed)
    {
        byte[] data = new byte[shape.Aggregate(1L, (n, d) => n * d) * SizeOf(type)];
        new Random(seed).NextBytes(data);
        return data;
    }

    private static int SizeOf(TensorType type) => type switch
    {
        TensorType.I64 => 8,
        TensorType.F32 => 4,
        TensorType.F16 or TensorType.BF16 => 2,
        _ => 1,
    };
}
