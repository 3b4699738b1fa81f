namespace LoraKernels.Verification.Reference;

/// <summary>A GGUF type with blocks of 32 weights.</summary>
public enum ReferenceGgufType
{
    /// <summary><c>d * (q - 8)</c></summary>
    Q40,

    /// <summary><c>d * q + m</c></summary>
    Q41,

    /// <summary><c>d * T[q]</c></summary>
    Iq4Nl,
}
