namespace LoraKernels.Verification.Reference;

/// <summary>A GGUF type that has no 4-bit codes, or one with which 4-bit files are mixed.</summary>
public enum ReferenceGgufMixedType
{
    /// <summary>Numbers.</summary>
    F32,

    /// <summary>Numbers in half precision.</summary>
    F16,

    /// <summary>Numbers in bfloat16.</summary>
    BF16,

    /// <summary><c>d * (q - 16)</c></summary>
    Q50,

    /// <summary><c>d * q + m</c>, 5 bits.</summary>
    Q51,

    /// <summary><c>d * q</c>, signed.</summary>
    Q80,

    /// <summary><c>(d * scale) * q - dmin * minimum</c>, 2 bits.</summary>
    Q2K,

    /// <summary><c>(d * (scale - 32)) * (q - 4)</c>, 3 bits.</summary>
    Q3K,

    /// <summary><c>(d * scale) * q - dmin * minimum</c>, 5 bits.</summary>
    Q5K,

    /// <summary><c>(d * scale) * (q - 32)</c>, 6 bits.</summary>
    Q6K,

    /// <summary><c>(d * (scale - 32)) * T[q]</c>, T as IQ4_NL's.</summary>
    Iq4Xs,
}
