namespace LoraKernels.Verification.Reference;

/// <summary>Element types of activations, as the reference knows them.</summary>
public enum ReferenceDType
{
    /// <summary>IEEE binary32.</summary>
    F32,

    /// <summary>IEEE binary16.</summary>
    F16,

    /// <summary>The upper half of a binary32.</summary>
    BF16,
}
