namespace LoraKernels.Serving;

/// <summary>How much of the device a tenant's adapters may take at once.</summary>
/// <param name="Bytes">Device memory, in bytes; 0 or more.</param>
/// <param name="Adapters">How many adapters; 0 or more.</param>
public sealed record PoolQuota(long Bytes = long.MaxValue, int Adapters = int.MaxValue)
{
    /// <summary>As much as the device has.</summary>
    public static PoolQuota Unlimited { get; } = new();
}
