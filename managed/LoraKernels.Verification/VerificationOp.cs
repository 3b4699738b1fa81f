namespace LoraKernels.Verification;

/// <summary>What a case runs.</summary>
public enum VerificationOp
{
    /// <summary>Checkpoint bytes to the device's layout and back, bit for bit.</summary>
    Pack,

    /// <summary>The weights as numbers, bit for bit.</summary>
    Dequantize,

    /// <summary>Numbers to NF4, bit for bit.</summary>
    Quantize,

    /// <summary>y = x * Wᵀ.</summary>
    Matmul,

    /// <summary>y = x * Wᵀ + bias.</summary>
    MatmulBias,

    /// <summary>s = x * Aᵀ.</summary>
    LoraShrink,

    /// <summary>y += weight * scale * s * Bᵀ.</summary>
    LoraExpand,

    /// <summary>Shrink and expand in one call.</summary>
    LoraApply,

    /// <summary>Base, adapters and bias in one call.</summary>
    Linear,
}
