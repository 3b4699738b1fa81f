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
}
