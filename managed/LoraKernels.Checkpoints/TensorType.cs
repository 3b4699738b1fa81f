using System.Diagnostics.CodeAnalysis;

namespace LoraKernels.Checkpoints;

/// <summary>
/// How a tensor's elements are stored: every type of safetensors, and every type of GGUF. What both have (F32, F16,
/// BF16, ...) is one value.
/// </summary>
[SuppressMessage("Naming", "CA1707", Justification = "GGUF's own names of its types")]
public enum TensorType
{
    /// <summary>One byte, 0 or 1.</summary>
    Bool,
    /// <summary>Unsigned byte.</summary>
    U8,
    /// <summary>Signed byte.</summary>
    I8,
    /// <summary>Unsigned 16-bit integer.</summary>
    U16,
    /// <summary>Signed 16-bit integer.</summary>
    I16,
    /// <summary>Unsigned 32-bit integer.</summary>
    U32,
    /// <summary>Signed 32-bit integer.</summary>
    I32,
    /// <summary>Unsigned 64-bit integer.</summary>
    U64,
    /// <summary>Signed 64-bit integer.</summary>
    I64,
    /// <summary>IEEE half precision.</summary>
    F16,
    /// <summary>bfloat16.</summary>
    BF16,
    /// <summary>IEEE single precision.</summary>
    F32,
    /// <summary>IEEE double precision.</summary>
    F64,
    /// <summary>Complex of two F32.</summary>
    C64,
    /// <summary>8-bit float, 5 bits exponent, 2 bits mantissa.</summary>
    F8E5M2,
    /// <summary>8-bit float, 4 bits exponent, 3 bits mantissa.</summary>
    F8E4M3,
    /// <summary>8-bit float of an exponent only.</summary>
    F8E8M0,
    /// <summary>F8E5M2 with one zero and no infinities.</summary>
    F8E5M2Fnuz,
    /// <summary>F8E4M3 with one zero and no infinities.</summary>
    F8E4M3Fnuz,
    /// <summary>4-bit float, two in a byte.</summary>
    F4,
    /// <summary>6-bit float, 2 bits exponent, 3 bits mantissa; four in three bytes.</summary>
    F6E2M3,
    /// <summary>6-bit float, 3 bits exponent, 2 bits mantissa; four in three bytes.</summary>
    F6E3M2,
    /// <summary>GGUF: blocks of 32, 4 bits and an f16 scale.</summary>
    Q4_0,
    /// <summary>GGUF: blocks of 32, 4 bits, f16 scale and minimum.</summary>
    Q4_1,
    /// <summary>GGUF: blocks of 32, 5 bits and an f16 scale.</summary>
    Q5_0,
    /// <summary>GGUF: blocks of 32, 5 bits, f16 scale and minimum.</summary>
    Q5_1,
    /// <summary>GGUF: blocks of 32, 8 bits and an f16 scale.</summary>
    Q8_0,
    /// <summary>GGUF: blocks of 32, 8 bits, f16 scale and sum.</summary>
    Q8_1,
    /// <summary>GGUF: blocks of 256, 2 bits, two-level scales.</summary>
    Q2_K,
    /// <summary>GGUF: blocks of 256, 3 bits, two-level scales.</summary>
    Q3_K,
    /// <summary>GGUF: blocks of 256, 4 bits, two-level scales and minima.</summary>
    Q4_K,
    /// <summary>GGUF: blocks of 256, 5 bits, two-level scales and minima.</summary>
    Q5_K,
    /// <summary>GGUF: blocks of 256, 6 bits, two-level scales.</summary>
    Q6_K,
    /// <summary>GGUF: blocks of 256, 8 bits.</summary>
    Q8_K,
    /// <summary>GGUF: blocks of 256, about 2.06 bits.</summary>
    IQ2_XXS,
    /// <summary>GGUF: blocks of 256, about 2.3 bits.</summary>
    IQ2_XS,
    /// <summary>GGUF: blocks of 256, about 2.6 bits.</summary>
    IQ2_S,
    /// <summary>GGUF: blocks of 256, about 3.06 bits.</summary>
    IQ3_XXS,
    /// <summary>GGUF: blocks of 256, about 3.4 bits.</summary>
    IQ3_S,
    /// <summary>GGUF: blocks of 256, about 1.6 bits.</summary>
    IQ1_S,
    /// <summary>GGUF: blocks of 256, 1.75 bits.</summary>
    IQ1_M,
    /// <summary>GGUF: blocks of 32, 4-bit table entries and an f16 scale.</summary>
    IQ4_NL,
    /// <summary>GGUF: blocks of 256, 4-bit table entries, two-level scales.</summary>
    IQ4_XS,
    /// <summary>GGUF: blocks of 256, ternary, about 1.7 bits.</summary>
    TQ1_0,
    /// <summary>GGUF: blocks of 256, ternary, about 2.06 bits.</summary>
    TQ2_0,
    /// <summary>GGUF: blocks of 32, E2M1 and an E8M0 scale.</summary>
    MXFP4,
    /// <summary>GGUF: blocks of 64, E2M1 and four UE4M3 scales.</summary>
    NVFP4,
}
