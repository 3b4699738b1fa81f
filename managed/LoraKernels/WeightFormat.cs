using System.Diagnostics.CodeAnalysis;

namespace LoraKernels;

/// <summary>The checkpoint format of a weight. The values are those of <c>lk_format</c>.</summary>
public enum WeightFormat
{
    /// <summary>bitsandbytes NF4: 16 levels and an absmax per group, which may itself be quantized (nested).</summary>
    BitsAndBytesNf4 = 1,

    /// <summary>GGUF Q4_0: blocks of 32 with an fp16 scale.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ4_0 = 2,

    /// <summary>bitsandbytes FP4: as NF4, with 16 other levels.</summary>
    BitsAndBytesFp4 = 3,

    /// <summary>GGUF Q4_1: blocks of 32 with an fp16 scale and an fp16 minimum.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ4_1 = 4,

    /// <summary>GGUF IQ4_NL: blocks of 32 with an fp16 scale; 16 integer levels.</summary>
    GgufIq4Nl = 5,

    /// <summary>GGUF Q4_K: blocks of 256 with 8 groups, each with a 6-bit scale and a 6-bit minimum.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ4_K = 6,

    /// <summary>compressed-tensors pack-quantized: integers with a scale per group, zero points and act-order optional.</summary>
    Int4Packed = 7,

    /// <summary>OCP MXFP4: E2M1 with a power of two per 32.</summary>
    Mxfp4 = 8,

    /// <summary>NVFP4: E2M1 with an E4M3 scale per 16 and one float scale.</summary>
    Nvfp4 = 9,

    /// <summary>GPTQ as AutoGPTQ writes it: integers with zero points stored less 1; act-order optional.</summary>
    Gptq = 10,

    /// <summary>GPTQ v2 (<c>checkpoint_format: gptq_v2</c>): as GPTQ, with zero points as they are.</summary>
    GptqV2 = 11,

    /// <summary>AWQ in its GEMM version: integers with zero points.</summary>
    Awq = 12,

    /// <summary>HQQ with groups along k (axis 1): integers with zeros that are numbers.</summary>
    Hqq = 13,

    /// <summary>ONNX Runtime's MatMulNBits with 4 bits: integers with or without zero points.</summary>
    OnnxMatMulNBits = 14,

    /// <summary>GGUF MXFP4: blocks of 32 with a power of two.</summary>
    GgufMxfp4 = 15,

    /// <summary>GGUF NVFP4: blocks of 64 with four E4M3 scales, and one float scale.</summary>
    GgufNvfp4 = 16,

    /// <summary>Numbers in fp32, not quantized.</summary>
    [SuppressMessage("Naming", "CA1720", Justification = "The format's name, as in DType.")]
    Float32 = 17,

    /// <summary>Numbers in fp16, not quantized.</summary>
    Float16 = 18,

    /// <summary>Numbers in bf16, not quantized.</summary>
    BFloat16 = 19,

    /// <summary>GGUF Q5_0: blocks of 32 with 5 bits and an fp16 scale.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ5_0 = 20,

    /// <summary>GGUF Q5_1: blocks of 32 with 5 bits, an fp16 scale and an fp16 minimum.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ5_1 = 21,

    /// <summary>GGUF Q8_0: blocks of 32 with 8 bits and an fp16 scale.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ8_0 = 22,

    /// <summary>GGUF Q2_K: blocks of 256 with 2 bits; 16 groups, each with a 4-bit scale and a 4-bit minimum.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ2_K = 23,

    /// <summary>GGUF Q3_K: blocks of 256 with 3 bits; 16 groups, each with a 6-bit scale.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ3_K = 24,

    /// <summary>GGUF Q5_K: blocks of 256 with 5 bits; 8 groups, each with a 6-bit scale and a 6-bit minimum.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ5_K = 25,

    /// <summary>GGUF Q6_K: blocks of 256 with 6 bits; 16 groups, each with an 8-bit scale.</summary>
    [SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
    GgufQ6_K = 26,

    /// <summary>GGUF IQ4_XS: blocks of 256 with IQ4_NL's levels; 8 groups, each with a 6-bit scale.</summary>
    GgufIq4Xs = 27,
}
