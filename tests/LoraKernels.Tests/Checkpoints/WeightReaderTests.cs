using System.Text;
using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Every kind of checkpoint is found from its files alone, and its tensors land where they belong.</summary>
public sealed class WeightReaderTests : FolderTests
{
    private const string Gptq = """{"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": true, "sym": true}""";

    private string ModelPath => Folder.Combine("model.safetensors");

    [TestCase("", WeightFormat.Gptq, TestName = "GPTQ without a configuration is of the first version")]
    [TestCase(Gptq, WeightFormat.Gptq, TestName = "GPTQ says nothing of its version: the first")]
    [TestCase("""{"quant_method": "gptq", "bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2"}""",
        WeightFormat.GptqV2, TestName = "GPTQ v2 says so")]
    public void ReadsGptq(string config, WeightFormat format)
    {
        using var checkpoint = Open(KindFiles.Gptq(), config);
        var weight = Single(checkpoint, new WeightInfo(
            KindFiles.Layer, format, 16, 64, 32, false, 512 + 16 + 64 + 256));
        Assert.Multiple(() =>
        {
            ExpectBytes(weight.Codes, ".qweight", TensorType.I32, 8, 16);
            ExpectBytes(weight.ZeroPoints, ".qzeros", TensorType.I32, 2, 2);
            ExpectBytes(weight.Scales, ".scales", TensorType.F16, 2, 16);
            Assert.That(weight.GroupIndex.Length, Is.EqualTo(256));
            Assert.That(weight.ScaleDType, Is.EqualTo(DType.Float16));
        });
    }

    [Test]
    public void ReadsGptqWithOneGroupARowAndSaysHowItTakesZeros()
    {
        SafetensorsEntry[] entries =
        [
            KindFiles.Entry(".qweight", TensorType.I32, 8, 16), KindFiles.Entry(".qzeros", TensorType.I32, 1, 2),
            KindFiles.Entry(".scales", TensorType.BF16, 1, 16),
        ];
        using var checkpoint = Open(entries, """{"quant_method": "gptq", "bits": 4, "group_size": -1, "sym": false}""");
        var weight = Single(checkpoint, new WeightInfo(
            KindFiles.Layer, WeightFormat.Gptq, 16, 64, 64, false, 512 + 8 + 32));
        Assert.That(weight.GroupIndex.IsEmpty);
        Assert.That(weight.ScaleDType, Is.EqualTo(DType.BFloat16));
        Assert.That(checkpoint.Remarks.Single(), Does.Contain("15 is taken as 16"));
    }

    [Test]
    public void ReadsTheConfigurationThatAutoGptqWritesBeside()
    {
        SafetensorsWriter.Write(ModelPath, KindFiles.Gptq());
        Folder.Write("quantize_config.json", """{"bits": 4, "group_size": 32, "checkpoint_format": "gptq_v2"}""");
        using var checkpoint = Checkpoint.Open(Folder.Path);
        Assert.That(checkpoint.Weights.Single().Format, Is.EqualTo(WeightFormat.GptqV2));
    }

    [TestCase(""), TestCase("""{"quant_method": "awq", "bits": 4, "group_size": 32, "version": "gemm"}""")]
    public void ReadsAwq(string config)
    {
        using var checkpoint = Open(KindFiles.Awq(), config);
        var weight = Single(checkpoint, new WeightInfo(
            KindFiles.Layer, WeightFormat.Awq, 16, 64, 32, false, 512 + 16 + 64));
        ExpectBytes(weight.Codes, ".qweight", TensorType.I32, 64, 2);
        ExpectBytes(weight.ZeroPoints, ".qzeros", TensorType.I32, 2, 2);
        ExpectBytes(weight.Scales, ".scales", TensorType.F16, 2, 16);
    }

    [Test]
    public void ReadsPackQuantized()
    {
        using var checkpoint = Open(
            KindFiles.PackQuantized(), """{"quant_method": "compressed-tensors", "format": "pack-quantized"}""");
        var weight = Single(checkpoint, new WeightInfo(
            KindFiles.Layer, WeightFormat.Int4Packed, 12, 60, 60, false, 384 + 24 + 8));
        ExpectBytes(weight.Codes, ".weight_packed", TensorType.I32, 12, 8);
        ExpectBytes(weight.Scales, ".weight_scale", TensorType.BF16, 12, 1);
        ExpectBytes(weight.ZeroPoints, ".weight_zero_point", TensorType.I32, 2, 1);
        Assert.That(weight.ScaleDType, Is.EqualTo(DType.BFloat16));
    }

    [Test]
    public void ReadsBothNvfp4sWithTheirOwnWayOfScaling()
    {
        using (var checkpoint = Open(KindFiles.CompressedNvfp4(), """
            {"quant_method": "compressed-tensors", "format": "nvfp4-pack-quantized"}
            """))
        {
            var weight = Single(checkpoint, new WeightInfo(
                KindFiles.Layer, WeightFormat.Nvfp4, 4, 64, 16, false, 128 + 16));
            Assert.That((weight.TensorScale, weight.TensorScaleDivides), Is.EqualTo((96f, true)));
            ExpectBytes(weight.Codes, ".weight_packed", TensorType.U8, 4, 32);
            ExpectBytes(weight.Scales, ".weight_scale", TensorType.F8E4M3, 4, 4);
            Assert.That(checkpoint.Tensors.Single().Name, Does.EndWith(".input_global_scale"));
        }
        SafetensorsWriter.Write(ModelPath, KindFiles.ModelOpt());
        File.Delete(Folder.Combine("config.json"));
        Folder.Write("hf_quant_config.json", """{"producer": {}, "quantization": {"quant_algo": "NVFP4", "group_size": 16}}""");
        using var modelOpt = Checkpoint.Open(Folder.Path);
        var scaled = Single(modelOpt, new WeightInfo(KindFiles.Layer, WeightFormat.Nvfp4, 4, 64, 16, false, 128 + 16));
        Assert.That((scaled.TensorScale, scaled.TensorScaleDivides), Is.EqualTo((0.125f, false)));
        ExpectBytes(scaled.Codes, ".weight", TensorType.U8, 4, 32);
        ExpectBytes(scaled.Scales, ".weight_scale", TensorType.F8E4M3, 4, 4);
    }

    [Test]
    public void ReadsPackedMxfp4()
    {
        using var checkpoint = Open(KindFiles.CompressedMxfp4(), "");
        var weight = Single(checkpoint, new WeightInfo(
            KindFiles.Layer, WeightFormat.Mxfp4, 4, 64, 32, false, 128 + 8));
        ExpectBytes(weight.Scales, ".weight_scale", TensorType.U8, 4, 2);
    }

    [TestCase(TensorType.U8, 12, 16), TestCase(TensorType.F16, 12, 8)]
    public void ReadsHqq(TensorType codes, long rows, long columns)
    {
        using var checkpoint = Open(
            KindFiles.Hqq().Replace(KindFiles.Entry(".W_q", codes, rows, columns)),
            """{"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 16, "axis": 1}}}""");
        var weight = Single(checkpoint, new WeightInfo(
            KindFiles.Layer, WeightFormat.Hqq, 6, 64, 16, false, 192 + 48 + 48));
        ExpectBytes(weight.Codes, ".W_q", codes, rows, columns);
        ExpectBytes(weight.Scales, ".scale", TensorType.F16, 24, 1);
        ExpectBytes(weight.ZeroPoints, ".zero", TensorType.F16, 24, 1);
        Assert.That(checkpoint.Tensors, Is.Empty, "what describes a layer is part of it");
    }

    [Test]
    public void ReadsExpertsOneByOne()
    {
        using var checkpoint = Open(KindFiles.GptOss(), """{"quant_method": "mxfp4"}""");
        Assert.That(checkpoint.Weights, Is.EqualTo((WeightInfo[])
        [
            new(KindFiles.Layer + ".0", WeightFormat.Mxfp4, 3, 64, 32, false, 96 + 6),
            new(KindFiles.Layer + ".1", WeightFormat.Mxfp4, 3, 64, 32, false, 96 + 6),
        ]));
        var second = checkpoint.ReadWeight(KindFiles.Layer + ".1");
        Assert.That(second.Codes.ToArray(), Is.EqualTo(KindFiles.Bytes("_blocks", TensorType.U8, 2, 3, 2, 16)[96..]));
        Assert.That(second.Scales.ToArray(), Is.EqualTo(KindFiles.Bytes("_scales", TensorType.U8, 2, 3, 2)[6..]));
    }

    [Test]
    public void ReadsFp4OfBitsAndBytes()
    {
        byte[] state = Encoding.UTF8.GetBytes(Nf4Files.PlainState.Replace("nf4", "fp4", StringComparison.Ordinal));
        using var checkpoint = Open(
            [
                .. Nf4Files.Plain().Without("weight.quant_state.bitsandbytes__nf4"),
                new(Nf4Files.Name + ".weight.quant_state.bitsandbytes__fp4", TensorType.U8, [state.Length], state),
            ],
            """{"quant_method": "bitsandbytes", "load_in_4bit": true, "bnb_4bit_quant_type": "fp4"}""");
        Assert.That(checkpoint.Weights.Single().Format, Is.EqualTo(WeightFormat.BitsAndBytesFp4));
        Assert.That(checkpoint.ReadWeight(Nf4Files.Name).Format, Is.EqualTo(WeightFormat.BitsAndBytesFp4));
    }

    // Bytes of a block and weights of it, ggml's number of the type.
    [TestCase(2u, 18, 32, WeightFormat.GgufQ4_0, 32), TestCase(3u, 20, 32, WeightFormat.GgufQ4_1, 32)]
    [TestCase(12u, 144, 256, WeightFormat.GgufQ4_K, 32), TestCase(20u, 18, 32, WeightFormat.GgufIq4Nl, 32)]
    [TestCase(39u, 17, 32, WeightFormat.GgufMxfp4, 32), TestCase(40u, 36, 64, WeightFormat.GgufNvfp4, 16)]
    [TestCase(0u, 4, 1, WeightFormat.Float32, 1), TestCase(1u, 2, 1, WeightFormat.Float16, 1)]
    [TestCase(30u, 2, 1, WeightFormat.BFloat16, 1), TestCase(6u, 22, 32, WeightFormat.GgufQ5_0, 32)]
    [TestCase(7u, 24, 32, WeightFormat.GgufQ5_1, 32), TestCase(8u, 34, 32, WeightFormat.GgufQ8_0, 32)]
    [TestCase(10u, 84, 256, WeightFormat.GgufQ2_K, 16), TestCase(11u, 110, 256, WeightFormat.GgufQ3_K, 16)]
    [TestCase(13u, 176, 256, WeightFormat.GgufQ5_K, 32), TestCase(14u, 210, 256, WeightFormat.GgufQ6_K, 16)]
    [TestCase(23u, 136, 256, WeightFormat.GgufIq4Xs, 32)]
    public void ReadsGguf(uint type, int bytes, int weights, WeightFormat format, int groupSize)
    {
        byte[] data = SafetensorsBytes.Data(3 * bytes);
        string path = Folder.Write("m.gguf", new GgufBytes().Header(3, 0)
            .Tensor("blk.0.attn_q.weight", type, 0, (ulong)weights, 3)
            .Tensor("blk.0.attn_q.scale", 0, 1024, 1)
            .Tensor("blk.0.ffn_up_exps.weight", type, 1056, (ulong)weights, 1, 3)
            .Pad().Raw(data).Raw(new byte[1024 - data.Length]).Raw(BitConverter.GetBytes(0.25f)).Pad().Raw(data).ToArray());
        using var checkpoint = Checkpoint.Open(path);
        Assert.Multiple(() =>
        {
            Assert.That(checkpoint.Weights[0], Is.EqualTo(
                new WeightInfo("blk.0.attn_q", format, 3, weights, groupSize, false, 3 * bytes)));
            Assert.That(checkpoint.Weights.Skip(1).Select(w => w.Name), Is.EqualTo((string[])
                ["blk.0.ffn_up_exps.0", "blk.0.ffn_up_exps.1", "blk.0.ffn_up_exps.2"]));
            var weight = checkpoint.ReadWeight("blk.0.attn_q");
            var expert = checkpoint.ReadWeight("blk.0.ffn_up_exps.2");
            Assert.That(weight.Codes.ToArray(), Is.EqualTo(data));
            Assert.That(expert.Codes.ToArray(), Is.EqualTo(data[(2 * bytes)..]));
            bool nvfp4 = format == WeightFormat.GgufNvfp4;
            Assert.That((weight.TensorScale, expert.TensorScale), Is.EqualTo(nvfp4 ? (0.25f, 1f) : (0f, 0f)));
        });
    }

    private Checkpoint Open(IEnumerable<SafetensorsEntry> entries, string config)
    {
        SafetensorsWriter.Write(ModelPath, entries);
        if (config.Length > 0) Folder.Write("config.json", $$"""{"quantization_config": {{config}}}""");
        return Checkpoint.Open(Folder.Path);
    }

    private static WeightTensors Single(Checkpoint checkpoint, WeightInfo expected)
    {
        Assert.That(checkpoint.Weights, Is.EqualTo((WeightInfo[])[expected]));
        var weight = checkpoint.ReadWeight(expected.Name);
        Assert.That((weight.Format, weight.OutFeatures, weight.InFeatures, weight.GroupSize),
            Is.EqualTo((expected.Format, expected.OutFeatures, expected.InFeatures, expected.GroupSize)));
        return weight;
    }

    private static void ExpectBytes(ReadOnlyMemory<byte> actual, string ending, TensorType type, params long[] shape) =>
        Assert.That(actual.ToArray(), Is.EqualTo(KindFiles.Bytes(ending, type, shape)), ending);
}
