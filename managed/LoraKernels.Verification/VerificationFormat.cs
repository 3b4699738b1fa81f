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
}
