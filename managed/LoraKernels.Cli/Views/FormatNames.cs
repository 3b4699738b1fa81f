namespace LoraKernels.Cli.Views;

/// <summary>The short names of formats and types, in tables and in JSON, and what they stand for.</summary>
internal static class FormatNames
{
    public static string Of(DType type) => type switch
    {
        DType.Float32 => "fp32",
        DType.Float16 => "fp16",
        DType.BFloat16 => "bf16",
        _ => type.ToString(),
    };

    public static string Of(WeightFormat format, bool nested) => format switch
    {
        WeightFormat.BitsAndBytesNf4 => nested ? "nf4-nested" : "nf4",
        WeightFormat.BitsAndBytesFp4 => nested ? "fp4-nested" : "fp4",
        WeightFormat.GgufQ4_0 => "q4_0",
        WeightFormat.GgufQ4_1 => "q4_1",
        WeightFormat.GgufIq4Nl => "iq4_nl",
        WeightFormat.GgufQ4_K => "q4_k",
        WeightFormat.Int4Packed => "int4",
        WeightFormat.Mxfp4 => "mxfp4",
        WeightFormat.Nvfp4 => "nvfp4",
        WeightFormat.Gptq => "gptq",
        WeightFormat.GptqV2 => "gptq-v2",
        WeightFormat.Awq => "awq",
        WeightFormat.Hqq => "hqq",
        WeightFormat.OnnxMatMulNBits => "onnx",
        WeightFormat.GgufMxfp4 => "gguf-mxfp4",
        WeightFormat.GgufNvfp4 => "gguf-nvfp4",
        WeightFormat.Float32 => "f32",
        WeightFormat.Float16 => "f16",
        WeightFormat.BFloat16 => "bf16",
        WeightFormat.GgufQ5_0 => "q5_0",
        WeightFormat.GgufQ5_1 => "q5_1",
        WeightFormat.GgufQ8_0 => "q8_0",
        WeightFormat.GgufQ2_K => "q2_k",
        WeightFormat.GgufQ3_K => "q3_k",
        WeightFormat.GgufQ5_K => "q5_k",
        WeightFormat.GgufQ6_K => "q6_k",
        WeightFormat.GgufIq4Xs => "iq4_xs",
        _ => format.ToString(),
    };

    public static string Of(QuantizedWeight weight) => Of(weight.Format, weight.OuterGroupSize > 0);

    /// <summary>In words, for one of the short names.</summary>
    public static string Describe(string format) => format switch
    {
        "nf4" => "bitsandbytes NF4",
        "nf4-nested" => "bitsandbytes NF4 with nested absmax",
        "fp4" => "bitsandbytes FP4",
        "fp4-nested" => "bitsandbytes FP4 with nested absmax",
        "q4_0" or "q4_1" or "iq4_nl" or "q4_k" or "q5_0" or "q5_1" or "q8_0" or "q2_k" or "q3_k" or "q5_k" or "q6_k"
            or "iq4_xs" => "GGUF " + format.ToUpperInvariant(),
        "f32" or "f16" or "bf16" => format.ToUpperInvariant(),
        "int4" => "compressed-tensors pack-quantized",
        "mxfp4" => "OCP MXFP4",
        "nvfp4" => "NVFP4",
        "gptq" => "GPTQ",
        "gptq-v2" => "GPTQ v2",
        "awq" => "AWQ",
        "hqq" => "HQQ",
        "onnx" => "ONNX MatMulNBits",
        "gguf-mxfp4" => "GGUF MXFP4",
        "gguf-nvfp4" => "GGUF NVFP4",
        _ => format,
    };
}
