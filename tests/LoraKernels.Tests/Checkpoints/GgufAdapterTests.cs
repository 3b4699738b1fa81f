using System.Runtime.InteropServices;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Adapters as llama.cpp's converter lays them out, byte by byte.</summary>
public sealed class GgufAdapterTests : FolderTests
{
    private const uint Text = 8;
    private const uint Float = 6;
    private const uint F32 = 0;

    private string FilePath => Folder.Combine("support.gguf");

    [Test]
    public void ReadsWhatTheConverterWrites()
    {
        Write(Adapter(8), ("blk.0.attn_q.weight.lora_a", [4, 2]), ("blk.0.attn_q.weight.lora_b", [2, 6]));
        LoraAdapter adapter = GgufAdapter.Read(FilePath);
        LoraFactors q = adapter.Factors.Single();
        Assert.Multiple(() =>
        {
            Assert.That(GgufAdapter.IsAdapter(FilePath), Is.True);
            Assert.That(adapter.Name, Is.EqualTo("support"));
            Assert.That(adapter.BaseModel, Is.EqualTo("mistralai/Mistral-7B-v0.1"));
            Assert.That(q.Module, Is.EqualTo("blk.0.attn_q"));
            Assert.That((q.A.Rows, q.A.Columns, q.B.Rows, q.B.Columns), Is.EqualTo((2, 4, 6, 2)));
            Assert.That(q.Scale, Is.EqualTo(4f), "alpha / rank");
            Assert.That(q.A.Data.ToArray(), Is.EqualTo(SafetensorsBytes.Data(32)));
        });
    }

    [Test]
    public void AnAlphaOfZeroOrNoneIsAScaleOfOne()
    {
        foreach (float? alpha in (float?[])[0f, null])
        {
            Write(Adapter(alpha), ("output.weight.lora_a", [4, 2]), ("output.weight.lora_b", [2, 6]));
            Assert.That(GgufAdapter.Read(FilePath).Factors.Single().Scale, Is.EqualTo(1f));
        }
    }

    [Test]
    public void TheEmbeddingsFactorLiesTokenByToken()
    {
        // Five tokens, rank 2, three features.
        Write(Adapter(2), ("token_embd.weight.lora_a", [2, 5]), ("token_embd.weight.lora_b", [2, 3]));
        LoraFactors embedding = GgufAdapter.Read(FilePath).Factors.Single();
        byte[] file = SafetensorsBytes.Data(40);
        Assert.That(embedding.IsEmbedding, Is.True);
        Assert.That((embedding.A.Rows, embedding.A.Columns, embedding.B.Rows), Is.EqualTo((2, 5, 3)));
        Assert.That(embedding.A.Data.Slice(4 * 6, 4).ToArray(), Is.EqualTo(file.AsSpan(4 * 3, 4).ToArray()), "rank 1 of token 1");
    }

    [Test]
    public void RefusesWhatIsNoAdapterOrCannotBeApplied()
    {
        (string, ulong[]) a = ("x.weight.lora_a", [4, 2]), b = ("x.weight.lora_b", [2, 6]);
        Expect(new GgufBytes().Header(2, 1).Key("general.type", Text).Text("model"), "general.type", "'model'", a, b);
        Expect(new GgufBytes().Header(2, 0), "general.type", "missing", a, b);
        Expect(new GgufBytes().Header(2, 2).Key("general.type", Text).Text("adapter").Key("adapter.type", Text).Text("control"),
            "adapter.type", "'control'", a, b);
        Expect(Adapter(8), "x.weight.lora_a", "no partner x.weight.lora_b", a);
        Expect(Adapter(8), "x.weight.lora_b", "no partner x.weight.lora_a", b);
        Expect(Adapter(8), "blk.0.attn_norm.weight", "no LoRA factor", a, b, ("blk.0.attn_norm.weight", [4]));
        Expect(Adapter(8), "x.weight.lora_b", "its A [2, 4] has 2", a, ("x.weight.lora_b", [3, 6]));
        Expect(Adapter(8), "x.weight.lora_a", "two dimensions", ("x.weight.lora_a", [4, 2, 3]), b);
        Expect(Adapter(8), null, "no LoRA factors");
        Expect(Adapter(float.NaN), "adapter.lora.alpha", "finite", a, b);
    }

    [TestCase("blk.0.attn_q", "model.layers.0.self_attn.q_proj"), TestCase("blk.31.ffn_down", "model.layers.31.mlp.down_proj")]
    [TestCase("output", "lm_head"), TestCase("token_embd", "model.embed_tokens")]
    public void NamesGoBothWays(string gguf, string original)
    {
        var map = new GgufModuleMap("llama", 4, 2);
        Assert.That(map.ToOriginal(gguf), Is.EqualTo(original));
        Assert.That(map.ToGguf(original), Is.EqualTo(gguf));
    }

    [TestCase("blk.00.attn_q"), TestCase("blk.x.attn_q"), TestCase("blk.1.attn_norm"), TestCase("attn_q"), TestCase("blk.1")]
    public void OtherNamesHaveNone(string gguf) => Assert.That(new GgufModuleMap("llama", 4, 2).ToOriginal(gguf), Is.Null);

    [Test]
    public void OtherArchitecturesAreRefusedWithThoseThatAreKnown() => Assert.That(
        () => new GgufModuleMap("mamba", 4, 2), Throws.TypeOf<NotSupportedException>().With.Message.Contains("llama"));

    [Test]
    public void RowsOfQAndKGoWithTheHeads()
    {
        // Two heads of four rows. Converted, a head's halves are interleaved: 0 2 1 3.
        var adapter = new LoraAdapter("a", [Query("model.layers.2.self_attn.q_proj"), Query("model.layers.2.self_attn.v_proj")]);
        var map = new GgufModuleMap("llama", 2, 1);
        LoraAdapter gguf = map.ToGguf(adapter);
        Assert.That(gguf.Factors.Select(f => f.Module), Is.EqualTo((string[])["blk.2.attn_q", "blk.2.attn_v"]));
        Assert.That(Values(gguf.Factors[0].B), Is.EqualTo((float[])[0, 2, 1, 3, 4, 6, 5, 7]));
        Assert.That(Values(gguf.Factors[0].Bias!), Is.EqualTo((float[])[0, 2, 1, 3, 4, 6, 5, 7]));
        Assert.That(Values(gguf.Factors[1].B), Is.EqualTo((float[])[0, 1, 2, 3, 4, 5, 6, 7]));
        LoraAdapter back = map.ToOriginal(gguf);
        Assert.That(back.Factors.Select(f => f.Module), Is.EqualTo(adapter.Factors.Select(f => f.Module)));
        Assert.That(Values(back.Factors[0].B), Is.EqualTo(Values(adapter.Factors[0].B)));
        Assert.That(Values(new GgufModuleMap("qwen2", 2, 1).ToGguf(adapter).Factors[0].B), Is.EqualTo(Values(adapter.Factors[0].B)));
    }

    [Test]
    public void LayersWithoutANameAreListed()
    {
        var adapter = new LoraAdapter("a", [Query("model.layers.2.mlp.gate"), Query("model.layers.2.self_attn.q_proj"), Query("head")]);
        var error = Assert.Throws<AdapterMismatchException>(() => new GgufModuleMap("llama", 3, 1).ToGguf(adapter))!;
        Assert.That(error.Mismatches, Has.Count.EqualTo(3));
        Assert.That(error.Mismatches[1], Does.Contain("no 3 heads"));
    }

    [Test]
    public void TheMapIsReadFromTheModelsMetadata()
    {
        byte[] file = new GgufBytes().Header(0, 3).Key("general.architecture", Text).Text("llama")
            .Key("llama.attention.head_count", 4).UInt32(32).Key("llama.attention.head_count_kv", 4).UInt32(8).Pad().ToArray();
        using GgufFile model = GgufFile.Open(Folder.Write("model.gguf", file));
        Assert.That(GgufModuleMap.Of(model).ToGguf("lm_head"), Is.EqualTo("output"));
        Assert.That(GgufAdapter.IsAdapter(model.Path), Is.False);

        byte[] other = new GgufBytes().Header(0, 2).Key("general.architecture", Text).Text("mamba")
            .Key("mamba.attention.head_count", 4).UInt32(32).Pad().ToArray();
        using GgufFile unknown = GgufFile.Open(Folder.Write("other.gguf", other));
        Refusals.Expect(() => GgufModuleMap.Of(unknown), unknown.Path, "general.architecture", "mamba", "known are");
    }

    private static LoraFactors Query(string module) => new(
        module, HostMatrix.From(new float[4], 1, 4), HostMatrix.From([0f, 1, 2, 3, 4, 5, 6, 7], 8, 1), 1,
        HostMatrix.From([0f, 1, 2, 3, 4, 5, 6, 7], 1, 8));

    private static float[] Values(HostMatrix matrix) => MemoryMarshal.Cast<byte, float>(matrix.Data.Span).ToArray();

    private static Func<ulong, GgufBytes> Adapter(float? alpha) => tensors =>
    {
        GgufBytes bytes = new GgufBytes().Header(tensors, alpha is null ? 3u : 4).Key("general.type", Text).Text("adapter")
            .Key("adapter.type", Text).Text("lora")
            .Key("general.base_model.0.repo_url", Text).Text("https://huggingface.co/mistralai/Mistral-7B-v0.1");
        return alpha is null ? bytes : bytes.Key("adapter.lora.alpha", Float).Raw(BitConverter.GetBytes(alpha.Value));
    };

    private void Expect(Func<ulong, GgufBytes> header, string? tensor, string part, params (string Name, ulong[] Shape)[] tensors)
    {
        Write(header, tensors);
        Refusals.Expect(() => GgufAdapter.Read(FilePath), FilePath, tensor, part);
    }

    private void Expect(GgufBytes header, string? tensor, string part, params (string Name, ulong[] Shape)[] tensors) =>
        Expect(_ => header, tensor, part, tensors);

    private void Write(Func<ulong, GgufBytes> header, params (string Name, ulong[] Shape)[] tensors)
    {
        GgufBytes bytes = header((ulong)tensors.Length);
        ulong offset = 0;
        foreach ((string name, ulong[] shape) in tensors)
        {
            bytes.Tensor(name, F32, offset, shape);
            offset += (Size(shape) + 31) / 32 * 32;
        }
        bytes.Pad();
        foreach ((_, ulong[] shape) in tensors)
            bytes.Raw(SafetensorsBytes.Data((int)Size(shape))).Pad();
        Folder.Write("support.gguf", bytes.ToArray());
    }

    private static ulong Size(ulong[] shape) => 4 * shape.Aggregate(1UL, (a, b) => a * b);
}
