using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

public sealed class CheckpointTests : FolderTests
{
    private const string Index = "model.safetensors.index.json";

    [Test]
    public void OpensAFolderWithOneFileAndItsConfiguration()
    {
        SafetensorsWriter.Write(Folder.Combine("model.safetensors"), [.. Nf4Files.Plain(), Bytes("model.norm.weight")]);
        Folder.Write("config.json", """{"_name_or_path": "mistralai/Mistral-7B-v0.1", "hidden_size": 48}""");
        foreach (string path in (string[])[Folder.Path, Folder.Combine("model.safetensors")])
        {
            using var checkpoint = Checkpoint.Open(path);
            Assert.Multiple(() =>
            {
                Assert.That(checkpoint.Kind, Is.EqualTo("safetensors"));
                Assert.That(checkpoint.Path, Is.EqualTo(Folder.Combine("model.safetensors")));
                Assert.That(checkpoint.BaseModelName, Is.EqualTo("mistralai/Mistral-7B-v0.1"));
                Assert.That(checkpoint.Tensors.Single().Name, Is.EqualTo("model.norm.weight"));
                Assert.That(checkpoint.ReadTensor("model.norm.weight"), Is.EqualTo(SafetensorsBytes.Data(4)));
                var module = checkpoint.LoraModules().Single();
                Assert.That((module.Name, module.OutFeatures, module.InFeatures), Is.EqualTo((Nf4Files.Name, 6, 48)));
            });
        }
    }

    [Test]
    public void OpensShardsByTheirIndex()
    {
        // A weight's parts may lie in different shards.
        SafetensorsWriter.Write(Folder.Combine("a.safetensors"), Nf4Files.Nested().Without("weight"));
        SafetensorsWriter.Write(Folder.Combine("b.safetensors"), [Nf4Files.Nested()[0], Bytes("x")]);
        Folder.Write(Index, $$$"""
            {"metadata": {"total_size": 9}, "weight_map": {"x": "b.safetensors", "{{{Nf4Files.Name}}}.weight":
            "b.safetensors", "{{{Nf4Files.Name}}}.weight.absmax": "a.safetensors"}}
            """);
        foreach (string path in (string[])[Folder.Path, Folder.Combine(Index)])
        {
            using var checkpoint = Checkpoint.Open(path);
            Assert.Multiple(() =>
            {
                Assert.That(checkpoint.Kind, Is.EqualTo("safetensors in 2 shards"));
                Assert.That(checkpoint.Path, Is.EqualTo(Folder.Path));
                Assert.That(checkpoint.ReadWeight(Nf4Files.Name).Codes.ToArray(), Is.EqualTo(SafetensorsBytes.Data(144)));
                Assert.That(checkpoint.Tensors.Single().File, Is.EqualTo(Folder.Combine("b.safetensors")));
            });
        }
    }

    [TestCase("../b.safetensors"), TestCase("/b.safetensors"), TestCase("sub/b.safetensors"), TestCase("..")]
    [TestCase("sub\\\\b.safetensors"), TestCase("c:b.safetensors"), TestCase(""), TestCase("./b.safetensors")]
    [TestCase("b\\u0000.safetensors"), TestCase("..\\u002fb.safetensors")]
    [TestCase(Index), TestCase("adapter_config.json")]
    public void RefusesShardNamesThatAreNoFilesOfTheFolder(string shard)
    {
        SafetensorsWriter.Write(Folder.Combine("b.safetensors"), [Bytes("x")]);
        Directory.CreateDirectory(Folder.Combine("sub"));
        SafetensorsWriter.Write(Folder.Combine("sub/b.safetensors"), [Bytes("x")]);
        Folder.Write("adapter_config.json", "{}");
        Folder.Write(Index, $$$"""{"weight_map": {"x": "{{{shard}}}"}}""");
        var error = Assert.Throws<CheckpointException>(() => Checkpoint.Open(Folder.Path).Dispose())!;
        Assert.That(error.Reason, Does.Contain("no plain file name").Or.Contain("ends in .safetensors"));
    }

    [Test]
    public void RefusesIndexesThatDoNotFitTheirShards()
    {
        string index = Folder.Combine(Index);
        void Expect(string json, string file, string? tensor, params string[] parts)
        {
            Folder.Write(Index, json);
            Refusals.Expect(() => Checkpoint.Open(Folder.Path), file, tensor, parts);
        }
        SafetensorsWriter.Write(Folder.Combine("a.safetensors"), [Bytes("x")]);
        SafetensorsWriter.Write(Folder.Combine("b.safetensors"), [Bytes("x"), Bytes("y")]);
        Expect("""{"weight_map": {"z": "a.safetensors"}}""", index, "z", "'a.safetensors'", "does not have it");
        Expect("""{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}""", Folder.Combine("b.safetensors"), "x",
            "also in", "a.safetensors");
        Expect("""{"weight_map": {"x": "c.safetensors"}}""", index, "c.safetensors", "no such file");
        Expect("""{"weight_map": {"x": 7}}""", index, "x", "found 7");
        Expect("""{"weight_map": {}}""", index, "weight_map", "no tensors");
        Expect("""{"weight_map": []}""", index, "weight_map", "expected an object");
        Expect("{}", index, "weight_map", "expected an object");
        Expect("""{"weight_map": {"x": "a.safetensors", "x": "b.safetensors"}}""", index, null, "not valid JSON");
        Folder.Write("d.safetensors", "junk, and enough of it");
        Expect("""{"weight_map": {"x": "d.safetensors"}}""", Folder.Combine("d.safetensors"), null, "header");
    }

    [Test]
    public void FollowsNoLinkOutOfTheFolder()
    {
        using var outside = new TempFolder();
        SafetensorsWriter.Write(outside.Combine("secret.safetensors"), [Bytes("x")]);
        Folder.Write(Index, """{"weight_map": {"x": "a.safetensors"}}""");
        string shard = Folder.Combine("a.safetensors");

        File.CreateSymbolicLink(shard, outside.Combine("secret.safetensors"));
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), shard, null, "outside of its folder");

        // Through a folder that is itself a link, which the shard's own link does not show.
        File.Delete(shard);
        Directory.CreateSymbolicLink(Folder.Combine("sub"), outside.Path);
        File.CreateSymbolicLink(shard, "sub/secret.safetensors");
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), shard, null, "outside of its folder");

        File.Delete(shard);
        File.CreateSymbolicLink(shard, "b.safetensors");
        File.CreateSymbolicLink(Folder.Combine("b.safetensors"), "a.safetensors");
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), shard, null, "cannot be resolved");

        // Links inside the folder are fine.
        File.Delete(Folder.Combine("b.safetensors"));
        SafetensorsWriter.Write(Folder.Combine("b.safetensors"), [Bytes("x")]);
        using var checkpoint = Checkpoint.Open(Folder.Path);
        Assert.That(checkpoint.ReadTensor("x"), Is.EqualTo(SafetensorsBytes.Data(4)));
    }

    [Test]
    public void FollowsTheLinksOfTheHuggingFaceCache()
    {
        string blobs = Directory.CreateDirectory(Folder.Combine("models--org--m/blobs")).FullName;
        string snapshot = Directory.CreateDirectory(Folder.Combine("models--org--m/snapshots/0123")).FullName;
        SafetensorsWriter.Write(Path.Combine(blobs, "abc"), [Bytes("x")]);
        File.CreateSymbolicLink(Path.Combine(snapshot, "model.safetensors"), "../../blobs/abc");
        using var checkpoint = Checkpoint.Open(snapshot);
        Assert.That(checkpoint.ReadTensor("x"), Is.EqualTo(SafetensorsBytes.Data(4)));
        Folder.Write("other", "x");
        File.CreateSymbolicLink(Path.Combine(snapshot, "config.json"), "../../../other");
        Refusals.Expect(() => Checkpoint.Open(snapshot), Path.Combine(snapshot, "config.json"), null, "outside");
    }

    [Test]
    public void OpensGguf()
    {
        byte[] bytes = new GgufBytes().Header(3, 1).Key("general.source.huggingface.repository", 8).Text("org/model")
            .Tensor("blk.0.attn_q.weight", 2, 0, 64, 3).Tensor("blk.0.attn_norm.weight", 0, 128, 2)
            .Tensor("blk.0.ffn.weight", 15, 160, 256, 1)
            .Pad().Raw(SafetensorsBytes.Data(108)).Pad().Raw(SafetensorsBytes.Data(32)).Raw(SafetensorsBytes.Data(292))
            .ToArray();
        string path = Folder.Write("model.gguf", bytes);
        foreach (string given in (string[])[path, Folder.Path])
        {
            using var checkpoint = Checkpoint.Open(given);
            var weight = checkpoint.ReadWeight("blk.0.attn_q");
            Assert.Multiple(() =>
            {
                Assert.That(checkpoint.Kind, Is.EqualTo("GGUF 3"));
                Assert.That(checkpoint.BaseModelName, Is.EqualTo("org/model"));
                Assert.That(checkpoint.Weights.Single(), Is.EqualTo(
                    new WeightInfo("blk.0.attn_q", WeightFormat.GgufQ4_0, 3, 64, 32, false, 108)));
                Assert.That(checkpoint.Tensors.Select(t => t.Type),
                    Is.EqualTo((TensorType[])[TensorType.F32, TensorType.Q8_K]));
                Assert.That(weight.Codes.ToArray(), Is.EqualTo(SafetensorsBytes.Data(108)));
                Assert.That((weight.OutFeatures, weight.InFeatures, weight.GroupSize), Is.EqualTo((3, 64, 32)));
            });
            Refusals.Expect(() => checkpoint.ReadWeight("blk.0.ffn"), path, "blk.0.ffn", "Q8_K [1, 256]");
        }
    }

    [Test]
    public void SaysWhatAWeightIsWhenItIsNoQuantizedOne()
    {
        SafetensorsWriter.Write(Folder.Combine("m.safetensors"), [.. Nf4Files.Plain(), Bytes("lm_head.weight"),
            Bytes("int8.weight_format")]);
        string path = Folder.Combine("m.safetensors");
        using var checkpoint = Checkpoint.Open(path);
        Refusals.Expect(() => checkpoint.ReadWeight("lm_head"), path, "lm_head", "'lm_head.weight' (U8 [4])");
        Refusals.Expect(() => checkpoint.ReadWeight("int8"), path, "int8", "'int8.weight_format'", "NF4", "GPTQ", "HQQ");
        Refusals.Expect(() => checkpoint.ReadWeight("other"), path, "other", $"has 1, among them '{Nf4Files.Name}'");
        Refusals.Expect(() => checkpoint.ReadTensor("other"), path, "other", "no such tensor");
    }

    [Test]
    public void RefusesPickles()
    {
        // torch.save since 1.6 writes a zip archive, before that a bare pickle; neither is opened, whatever its name.
        foreach (string name in (string[])["m.bin", "m.pt", "m.pth", "m.safetensors", "m"])
        {
            string zip = Folder.Write(name, "PK\u0003\u0004 and so on, archive/data.pkl");
            Refusals.Expect(() => Checkpoint.Open(zip), zip, null, "pickle", "runs code", "safetensors");
            string bare = Folder.Write(name, new byte[] { 0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20 });
            Refusals.Expect(() => Checkpoint.Open(bare), bare, null, "pickle", "runs code", "safetensors");
            Refusals.Expect(() => SafetensorsFile.Open(bare), bare, null, "pickle");
            File.Delete(bare);
        }
        string folder = Folder.Write("pytorch_model.bin", "anything at all");
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), folder, null, "pickle");
        Refusals.Expect(() => Checkpoint.Open(folder), folder, null, "pickle");
    }

    [Test]
    public void SaysWhatWasFoundWhenItIsNoCheckpoint()
    {
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), Folder.Path, null, "no checkpoint", "found no files");
        Folder.Write("readme.md", "# model");
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), Folder.Path, null, "found readme.md");
        string readme = Folder.Combine("readme.md");
        Refusals.Expect(() => Checkpoint.Open(readme), readme, null, "no known kind", "23 20 6d 6f");
        string json = Folder.Write("x.json", """{"meta":{}}""");
        Refusals.Expect(() => Checkpoint.Open(json), json, null, "JSON text");
        string missing = Folder.Combine("missing");
        Refusals.Expect(() => Checkpoint.Open(missing), missing, null, "no such file");
        SafetensorsWriter.Write(Folder.Combine("a.safetensors"), [Bytes("x")]);
        SafetensorsWriter.Write(Folder.Combine("b.safetensors"), [Bytes("x")]);
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), Folder.Path, null, "2 models", "a.safetensors, b.safetensors");
        Folder.Write("adapter_config.json", "{}");
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), Folder.Path, null, "PEFT adapter", "PeftAdapter.Read");
    }

    [TestCase("{", "not valid JSON"), TestCase("7", "expected a JSON object")]
    public void RefusesABrokenConfiguration(string json, string part)
    {
        SafetensorsWriter.Write(Folder.Combine("model.safetensors"), [Bytes("x")]);
        string path = Folder.Write("config.json", json);
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), path, null, part);
    }

    [TestCase("{}"), TestCase("""{"_name_or_path": ""}"""), TestCase("""{"_name_or_path": 7}""")]
    public void KnowsNoNameWhenTheConfigurationHasNone(string json)
    {
        SafetensorsWriter.Write(Folder.Combine("model.safetensors"), [Bytes("x")]);
        Folder.Write("config.json", json);
        using var checkpoint = Checkpoint.Open(Folder.Path);
        Assert.That(checkpoint.BaseModelName, Is.Null);
    }

    private static SafetensorsEntry Bytes(string name) => new(name, TensorType.U8, [4], SafetensorsBytes.Data(4));
}
