using System.Text;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// 16000 damaged files. Each test has seeds of its own; a failure names the seed that shows it again alone.
/// </summary>
public sealed class MutationTests : FolderTests
{
    private const string Header = """
        {"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"BF16",
        "shape":[4],"data_offsets":[24,32]},"c":{"dtype":"U8","shape":[0,7],"data_offsets":[32,32]},"d":{"dtype":"F4",
        "shape":[2,4],"data_offsets":[32,36]},"e":{"dtype":"I64","shape":[],"data_offsets":[36,44]}}
        """;

    private static readonly byte[] Safetensors = SafetensorsBytes.Of(Header, SafetensorsBytes.Data(44));

    private static readonly GgufBytes GgufFields = new GgufBytes().Header(3, 6)
        .Key("general.name", 8).Text("name").Key("general.alignment", 4).UInt32(32)
        .Key("tokens", 9).UInt32(8).UInt64(3).Text("a").Text("bc").Text("")
        .Key("scores", 9).UInt32(6).UInt64(3).Raw(SafetensorsBytes.Data(12))
        .Key("nested", 9).UInt32(9).UInt64(2).UInt32(0).UInt64(1).Raw([1]).UInt32(7).UInt64(2).Raw([0, 1])
        .Key("flag", 7).Raw([1])
        .Tensor("blk.0.attn_q.weight", 2, 0, 64, 3).Tensor("norm", 0, 128, 2).Tensor("k", 12, 160, 256, 1)
        .Pad().Raw(SafetensorsBytes.Data(128)).Raw(SafetensorsBytes.Data(32)).Raw(SafetensorsBytes.Data(144));

    [Test]
    public void SafetensorsWithDamagedBytes() =>
        CheckSafetensors(10_000, 2500, 18, random => ByteMutations.Mutate(random, Safetensors));

    [Test]
    public void SafetensorsWithChangedHeaders() =>
        CheckSafetensors(20_000, 3000, 25, random =>
            SafetensorsBytes.Of(JsonMutations.Mutate(random, Header), SafetensorsBytes.Data(44)));

    [Test]
    public void GgufWithDamagedBytes() =>
        CheckGguf(30_000, 2000, 22, random => ByteMutations.Mutate(random, GgufFields.ToArray()));

    [Test]
    public void GgufWithChangedNumbers() =>
        CheckGguf(40_000, 3000, 20, random => ByteMutations.MutateField(random, GgufFields.ToArray(), GgufFields.Fields));

    [Test]
    public void AdaptersWithChangedConfigurations()
    {
        PeftFolder.Write(Folder, PeftFolder.Config, PeftFolder.Factors());
        CheckAdapters(50_000, 1500, 25, "adapter_config.json", random => JsonMutations.Mutate(random, PeftFolder.Config));
    }

    [Test]
    public void AdaptersWithChangedWeights()
    {
        PeftFolder.Write(Folder, PeftFolder.Config, PeftFolder.Factors());
        byte[] original = File.ReadAllBytes(Folder.Combine("adapter_model.safetensors"));
        var (header, data) = Split(original);
        CheckAdapters(60_000, 1000, 25, "adapter_model.safetensors", random => random.Next(2) == 0
            ? ByteMutations.Mutate(random, original)
            : SafetensorsBytes.Of(JsonMutations.Mutate(random, header), data));
    }

    [Test]
    public void IndexesWithChangedShards()
    {
        const string Index = """
            {"metadata":{"total_size":44},"weight_map":{"x.a":"a.safetensors","x.b":"b.safetensors","x.c":"b.safetensors"}}
            """;
        foreach (var (file, name) in new[] { ("a", "x.a"), ("b", "x.b") })
        {
            SafetensorsWriter.Write(Folder.Combine($"{file}.safetensors"), new[] { name }.Concat(file == "b" ? ["x.c"] : [])
                .Select(n => new SafetensorsEntry(n, TensorType.U8, [4], SafetensorsBytes.Data(4))));
        }
        File.CreateSymbolicLink(Folder.Combine("loop.safetensors"), "loop.safetensors");
        CheckCheckpoints(70_000, 1000, 14, random => Folder.Write("model.safetensors.index.json", JsonMutations.Mutate(random,
            random.Next(10) == 0 ? Index.Replace("\"a.", "\"loop.", StringComparison.Ordinal) : Index)));
    }

    [Test]
    public void Nf4WithChangedQuantStates() =>
        CheckCheckpoints(80_000, 1000, 25, random =>
        {
            string state = Encoding.UTF8.GetString(JsonMutations.Mutate(random, Nf4Files.NestedState));
            string path = Folder.Combine("model.safetensors");
            SafetensorsWriter.Write(path, Nf4Files.Nested(state));
            return path;
        });

    [Test]
    public void Nf4WithChangedParts()
    {
        string path = Folder.Combine("model.safetensors");
        SafetensorsWriter.Write(path, [.. Nf4Files.Nested(), .. Nf4Files.Plain().Select(Renamed)]);
        var (header, data) = Split(File.ReadAllBytes(path));
        CheckCheckpoints(90_000, 1000, 18, random => Folder.Write("model.safetensors",
            SafetensorsBytes.Of(JsonMutations.Mutate(random, header), data)));

        static SafetensorsEntry Renamed(SafetensorsEntry entry)
        {
            using var stream = new MemoryStream();
            entry.Write(stream);
            return new SafetensorsEntry("x" + entry.Name[Nf4Files.Name.Length..], entry.Type, entry.Shape, stream.ToArray());
        }
    }

    private void CheckSafetensors(int firstSeed, int count, int leastReasons, Func<Random, byte[]> mutate)
    {
        string path = "";
        MutationRun.Check(firstSeed, count, leastReasons,
            random => new FileInfo(path = Folder.Write("m.safetensors", mutate(random))).Length,
            () =>
            {
                using var file = SafetensorsFile.Open(path);
                MutationRun.CheckTensors(file.Tensors, file.Read);
            });
    }

    private void CheckGguf(int firstSeed, int count, int leastReasons, Func<Random, byte[]> mutate)
    {
        string path = "";
        MutationRun.Check(firstSeed, count, leastReasons,
            random => new FileInfo(path = Folder.Write("m.gguf", mutate(random))).Length,
            () =>
            {
                using (var file = GgufFile.Open(path)) MutationRun.CheckTensors(file.Tensors, file.Read);
                ReadAll(path);
            });
    }

    private void CheckAdapters(int firstSeed, int count, int leastReasons, string changed, Func<Random, byte[]> mutate)
    {
        MutationRun.Check(firstSeed, count, leastReasons,
            random =>
            {
                Folder.Write(changed, mutate(random));
                return FilesLength();
            },
            () =>
            {
                foreach (var factors in PeftAdapter.Read(Folder.Path).Factors)
                {
                    if (factors.Rank < 1 || !float.IsFinite(factors.Scale)) Assert.Fail($"{factors.Module} is unusable");
                }
            },
            3 * MutationRun.AllowedPerExpression);
    }

    private void CheckCheckpoints(int firstSeed, int count, int leastReasons, Func<Random, string> write)
    {
        MutationRun.Check(firstSeed, count, leastReasons,
            random =>
            {
                write(random);
                return FilesLength();
            },
            () => ReadAll(Folder.Path));
    }

    private static void ReadAll(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        foreach (var info in checkpoint.Weights)
        {
            var weight = checkpoint.ReadWeight(info.Name);
            if (weight.Bytes != info.Bytes) Assert.Fail($"{info.Name} has {weight.Bytes} bytes, not {info.Bytes}");
        }
        foreach (var tensor in checkpoint.Tensors)
        {
            if (checkpoint.ReadTensor(tensor.Name).Length != tensor.Bytes) Assert.Fail($"{tensor.Name} has another size");
        }
    }

    private long FilesLength() => Directory.EnumerateFiles(Folder.Path).Sum(p => new FileInfo(p).Length);

    private static (string Header, byte[] Data) Split(byte[] file)
    {
        int length = (int)BitConverter.ToUInt64(file);
        return (Encoding.UTF8.GetString(file, 8, length), file[(8 + length)..]);
    }
}
