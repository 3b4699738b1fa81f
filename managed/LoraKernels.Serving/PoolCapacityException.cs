using System.Globalization;

namespace LoraKernels.Serving;

/// <summary>An adapter needs more than the pool, or its tenant, may ever hold.</summary>
public sealed class PoolCapacityException : Exception
{
    /// <summary>Makes an exception for an adapter.</summary>
    /// <param name="adapter">The adapter's name.</param>
    /// <param name="bytes">Device memory that it needs.</param>
    /// <param name="quota">What is allowed.</param>
    /// <param name="tenant">Whose quota that is; null for the pool's own budget.</param>
    public PoolCapacityException(string adapter, long bytes, PoolQuota quota, string? tenant)
        : base(Describe(adapter, bytes, quota, tenant))
    {
        Adapter = adapter;
        Bytes = bytes;
        Quota = quota;
        Tenant = tenant;
    }

    /// <summary>The adapter's name.</summary>
    public string Adapter { get; }

    /// <summary>Device memory that it needs, in bytes.</summary>
    public long Bytes { get; }

    /// <summary>What is allowed.</summary>
    public PoolQuota Quota { get; }

    /// <summary>Whose quota that is; null for the pool's own budget.</summary>
    public string? Tenant { get; }

    private static string Describe(string adapter, long bytes, PoolQuota quota, string? tenant)
    {
        ArgumentNullException.ThrowIfNull(quota);
        string whose = tenant is null ? "the pool" : $"tenant '{tenant}'";
        return string.Create(
            CultureInfo.InvariantCulture,
            $"adapter '{adapter}' needs {bytes} bytes on the device; {whose} may hold {quota.Bytes} bytes and "
            + $"{quota.Adapters} adapters");
    }
}
