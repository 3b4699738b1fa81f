using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>What contradicts itself, or cannot be read, is refused with what was found and what can be read.</summary>
public sealed class WeightReaderRefusalTests : FolderTests
{
    private string ModelPath => Folder.Combine("model.safetensors");

    [TestCase("""{"quant_method": "quip"}""", "quant_method", "'quip'", "GPTQ (v1 and v2), AWQ")]
    [TestCase("""{"quant_method": "awq", "bits": 4}""", ".scales", "F16 [2, 16]", "expected F16 or BF16 or F32 [2, 128]")]
    [TestCase("""{"quant_method": "hqq"}""", "quant_method", "'hqq'", "none of the 4 tensors")]
    [TestCase("""{"quant_method": "gptq", "bits": 8}""", "bits", "is 8", "4 bits")]
    [TestCase("""{"quant_method": "gptq", "bits": "4"}""", "bits", "is '4'", "whole number")]
    [TestCase("""{"quant_method": "gptq", "checkpoint_format": "marlin"}""", "checkpoint_format", "'marlin'", "'gptq_v2'")]
    [TestCase("""{"quant_method": "gptq", "group_size": 64}""", ".scales", "2 groups in 64 weights", "group_size is 64")]
    [TestCase("""{"quant_method": "bitsandbytes", "load_in_8bit": true}""", "load_in_8bit", "is true", "4 bits")]
    [TestCase("""{"quant_method": 7}""", "quant_method", "is 7", "expected a string")]
    [TestCase("[]", "", "a list of 0", "expected an object")]
    public void RefusesConfigurationsThatDoNotFitGptqTensors(string config, string at, params string[] parts)
    {
        SafetensorsWriter.Write(ModelPath, KindFiles.Gptq());
        string path = Folder.Write("config.json", $$"""{"quantization_config": {{config}}}""");
        bool tensor = at.StartsWith('.');
        string subject = tensor ? KindFiles.Layer + at : at.Length == 0 ? "quantization_config" : $"quantization_config.{at}";
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), tensor ? ModelPath : path, subject, parts);
    }

    [Test]
    public void RefusesTwoConfigurationsThatDisagree()
    {
        SafetensorsWriter.Write(ModelPath, KindFiles.Gptq());
        string config = Folder.Write("config.json", """{"quantization_config": {"quant_method": "gptq", "bits": 4}}""");
        string path = Folder.Write("quantize_config.json", """{"bits": 3}""");
        Refusals.Expect(() => Checkpoint.Open(Folder.Path), path, "bits", "is 3, but 4 in " + config);
    }

    [Test]
    public void RefusesGptqPartsThatAreMissingOrDoNotFit()
    {
        Expect(KindFiles.Gptq().Omit(".scales"), ".scales", "missing", ".qweight");
        Expect(KindFiles.Gptq().Omit(".qzeros"), ".qzeros", "missing", ".qweight");
        // What 8 bits look like: half of the codes to a word.
        Expect(KindFiles.Gptq().Replace(KindFiles.Entry(".qweight", TensorType.I32, 16, 16)), ".g_idx", "[64]", "[128]");
        Expect(KindFiles.Gptq().Replace(KindFiles.Entry(".qzeros", TensorType.I32, 2, 4)), ".qzeros", "[2, 4]", "[2, 2]");
        Expect(KindFiles.Gptq().Replace(KindFiles.Entry(".scales", TensorType.I32, 2, 16)), ".scales", "I32", "F16");
        Expect(KindFiles.Gptq().Replace(KindFiles.Entry(".g_idx", TensorType.I64, 64)), ".g_idx", "I64", "I32 [64]");
    }

    [Test]
    public void RefusesOtherPartsThatAreMissingOrDoNotFit()
    {
        Expect(KindFiles.Awq().Replace(KindFiles.Entry(".qzeros", TensorType.I32, 1, 2)), ".qzeros", "[2, 2]");
        Expect(KindFiles.PackQuantized().Omit(".weight_shape"), ".weight_shape", "missing");
        // 8 bits: four to a word.
        Expect(KindFiles.PackQuantized().Replace(KindFiles.Entry(".weight_packed", TensorType.I32, 12, 15)),
            ".weight_packed", "[12, 15]", "4 bits is [12, 8]");
        Expect(KindFiles.PackQuantized().Replace(KindFiles.Numbers(".weight_shape", TensorType.I64, [2], 13, 60)),
            ".weight_shape", "[13, 60]", "12 rows");
        Expect(KindFiles.CompressedNvfp4().Omit(".weight_global_scale"), ".weight_global_scale", "missing");
        Expect(KindFiles.CompressedNvfp4().Replace(KindFiles.Scale(".weight_global_scale", 0, 1)),
            ".weight_global_scale", "is 0", "above 0");
        Expect(KindFiles.ModelOpt().Omit(".weight_scale"), ".weight_scale", "missing", ".weight_scale_2");
        Expect(KindFiles.ModelOpt().Replace(KindFiles.Scale(".weight_scale_2", float.NaN)), ".weight_scale_2", "NaN");
        Expect(KindFiles.GptOss().Replace(KindFiles.Entry("_scales", TensorType.U8, 2, 3, 1)), "_scales", "[2, 3, 2]");
        Expect(KindFiles.GptOss().Replace(KindFiles.Entry("_blocks", TensorType.U8, 2, 3, 2, 15)), "_blocks", "16]");
    }

    [Test]
    public void RefusesHqqThatIsNotOfFourBitsAlongK()
    {
        Expect(KindFiles.Hqq().Replace(KindFiles.Numbers(".nbits", TensorType.I32, [], 8)), ".nbits", "is 8", "4 bits");
        Expect(KindFiles.Hqq().Replace(KindFiles.Numbers(".axis", TensorType.I32, [], 0)), ".axis", "is 0", "axis 1");
        Expect(KindFiles.Hqq().Replace(KindFiles.Numbers(".quant_zero", TensorType.U8, [], 1)), ".quant_zero", "is 1");
        Expect(KindFiles.Hqq().Replace(KindFiles.Text(".packing", "8bit_u8")), ".packing", "'8bit_u8'", "'4bit_u8'");
        Expect(KindFiles.Hqq().Replace(KindFiles.Numbers(".group_size", TensorType.I32, [], 48)), ".group_size", "is 48", "64");
        Expect(KindFiles.Hqq().Replace(KindFiles.Numbers(".group_size", TensorType.I32, [], 32)), ".scale", "[12, 1]");
        Expect(KindFiles.Hqq().Replace(KindFiles.Entry(".zero", TensorType.F32, 24, 1)), ".zero", "expected F16 [24, 1]");
        Expect(KindFiles.Hqq().Replace(KindFiles.Entry(".W_q", TensorType.U8, 12, 15)), ".W_q", "180 bytes", "192 bytes");
        Expect(KindFiles.Hqq().Omit(".shape"), ".shape", "missing");
    }

    private void Expect(List<SafetensorsEntry> entries, string ending, params string[] parts)
    {
        SafetensorsWriter.Write(ModelPath, entries);
        Refusals.Expect(() => Checkpoint.Open(ModelPath), ModelPath, KindFiles.Layer + ending, parts);
    }
}
