namespace LoraKernels.Verification;

/// <summary>How a case's weight is stored.</summary>
public enum VerificationFormat
{
    /// <summary>The op has no weight.</summary>
    None,

    /// <summary>bitsandbytes NF4 with absmax in fp32.</summary>
    Nf4,

    /// <summary>bitsandbytes NF4 with absmax quantized once more.</summary>
    Nf4Nested,

    /// <summary>GGUF Q4_0.</summary>
    GgufQ40,

    /// <summary>bitsandbytes FP4 with absmax in fp32.</summary>
    Fp4,

    /// <summary>bitsandbytes FP4 with absmax quantized once more.</summary>
    Fp4Nested,

    /// <summary>GGUF Q4_1: with minimums.</summary>
    GgufQ41,

    /// <summary>GGUF IQ4_NL: a table of integers.</summary>
    GgufIq4Nl,

    /// <summary>GGUF Q4_K: 6-bit scales and minimums.</summary>
    GgufQ4K,

    /// <summary>compressed-tensors pack-quantized, symmetric.</summary>
    Int4,

    /// <summary>compressed-tensors pack-quantized with zero points.</summary>
    Int4ZeroPoints,

    /// <summary>compressed-tensors pack-quantized with zero points and act-order.</summary>
    Int4ActOrder,

    /// <summary>OCP MXFP4.</summary>
    Mxfp4,

    /// <summary>NVFP4 whose tensor scale multiplies.</summary>
    Nvfp4,

    /// <summary>NVFP4 whose tensor scale divides.</summary>
    Nvfp4Divided,

    /// <summary>GPTQ, first version.</summary>
    Gptq,

    /// <summary>GPTQ, second version.</summary>
    GptqV2,

    /// <summary>GPTQ, first version, with act-order.</summary>
    GptqActOrder,

    /// <summary>AWQ.</summary>
    Awq,

    /// <summary>HQQ: zeros that are numbers.</summary>
    Hqq,

    /// <summary>ONNX MatMulNBits without zero points.</summary>
    Onnx,

    /// <summary>ONNX MatMulNBits with zero points of 4 bits.</summary>
    OnnxZeroPoints,

    /// <summary>ONNX MatMulNBits with zero points that are numbers.</summary>
    OnnxFloatZeros,

    /// <summary>GGUF MXFP4.</summary>
    GgufMxfp4,

    /// <summary>GGUF NVFP4.</summary>
    GgufNvfp4,

    /// <summary>Numbers in fp32.</summary>
    F32,

    /// <summary>Numbers in fp16.</summary>
    F16,

    /// <summary>Numbers in bf16.</summary>
    BF16,

    /// <summary>GGUF Q5_0.</summary>
    GgufQ50,

    /// <summary>GGUF Q5_1.</summary>
    GgufQ51,

    /// <summary>GGUF Q8_0.</summary>
    GgufQ80,

    /// <summary>GGUF Q2_K.</summary>
    GgufQ2K,

    /// <summary>GGUF Q3_K.</summary>
    GgufQ3K,

    /// <summary>GGUF Q5_K.</summary>
    GgufQ5K,

    /// <summary>GGUF Q6_K.</summary>
    GgufQ6K,

    /// <summary>GGUF IQ4_XS.</summary>
    GgufIq4Xs,
}
