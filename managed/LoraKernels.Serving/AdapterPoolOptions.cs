using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace LoraKernels.Serving;

/// <summary>How an <see cref="AdapterPool"/> works.</summary>
public sealed record AdapterPoolOptions
{
    /// <summary>Device memory that adapters may take, in bytes; 0 or more. Required.</summary>
    public required long DeviceBytes { get; init; }

    /// <summary>How many adapters may be on the device; 0 or more. Mostly the bytes decide.</summary>
    public int MaxAdapters { get; init; } = int.MaxValue;

    /// <summary>
    /// Host memory for adapters that were read, in bytes; 0 or more. What is there need not be read again when it is
    /// loaded again.
    /// </summary>
    public long HostBytes { get; init; }

    /// <summary>How many adapters are read or copied to the device at once; 1 or more.</summary>
    public int MaxConcurrentLoads { get; init; } = 4;

    /// <summary>Who makes way when something is full.</summary>
    public IEvictionPolicy EvictionPolicy { get; init; } = LeastRecentlyUsed.Instance;

    /// <summary>Quotas of tenants by their names.</summary>
    public IReadOnlyDictionary<string, PoolQuota> TenantQuotas { get; init; } =
        new Dictionary<string, PoolQuota>(StringComparer.Ordinal);

    /// <summary>The quota of a tenant that <see cref="TenantQuotas"/> does not name.</summary>
    public PoolQuota DefaultTenantQuota { get; init; } = PoolQuota.Unlimited;

    /// <summary>The base's weights, which DoRA needs, and what the engine does itself.</summary>
    public AdapterOptions Adapters { get; init; } = AdapterOptions.None;

    /// <summary>
    /// Makes a stream on which adapters are copied, at most <see cref="MaxConcurrentLoads"/> of them, which the pool
    /// disposes; null: <see cref="Device.CreateStream"/>. An engine that lends its own streams
    /// (<see cref="Device.OpenOnStream"/>) has to make them.
    /// </summary>
    public Func<DeviceStream>? CopyStreams { get; init; }

    /// <summary>The pool's name in meters and logs, where a process has several.</summary>
    public string Name { get; init; } = "adapters";

    /// <summary>What the pool has to say: loads, evictions, failures.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;

    /// <summary>Times loads.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Runs loads.</summary>
    internal TaskScheduler Scheduler { get; init; } = TaskScheduler.Default;

    internal PoolQuota QuotaOf(string tenant) => TenantQuotas.GetValueOrDefault(tenant) ?? DefaultTenantQuota;

    /// <param name="argument">What the caller calls these options.</param>
    /// <exception cref="ArgumentException">A value out of its range; it is named.</exception>
    internal void Check(string argument)
    {
        RequireAtLeast(0, DeviceBytes, nameof(DeviceBytes), argument);
        RequireAtLeast(0, MaxAdapters, nameof(MaxAdapters), argument);
        RequireAtLeast(0, HostBytes, nameof(HostBytes), argument);
        RequireAtLeast(1, MaxConcurrentLoads, nameof(MaxConcurrentLoads), argument);
        RequireValue(EvictionPolicy, nameof(EvictionPolicy), argument);
        RequireValue(TenantQuotas, nameof(TenantQuotas), argument);
        RequireValue(DefaultTenantQuota, nameof(DefaultTenantQuota), argument);
        RequireValue(Adapters, nameof(Adapters), argument);
        RequireValue(Name, nameof(Name), argument);
        RequireValue(Logger, nameof(Logger), argument);
        RequireValue(TimeProvider, nameof(TimeProvider), argument);
        RequireQuota(DefaultTenantQuota, nameof(DefaultTenantQuota), argument);
        foreach ((string tenant, PoolQuota quota) in TenantQuotas)
            RequireQuota(quota, $"{nameof(TenantQuotas)}['{tenant}']", argument);
    }

    private static void RequireQuota(PoolQuota quota, string option, string argument)
    {
        RequireValue(quota, option, argument);
        RequireAtLeast(0, quota.Bytes, $"{option}.{nameof(quota.Bytes)}", argument);
        RequireAtLeast(0, quota.Adapters, $"{option}.{nameof(quota.Adapters)}", argument);
    }

    private static void RequireAtLeast(long least, long value, string option, string argument)
    {
        if (value < least)
            throw new ArgumentOutOfRangeException(argument, value, $"{option} must be {least} or more");
    }

    private static void RequireValue([NotNull] object? value, string option, string argument)
    {
        if (value is null)
            throw new ArgumentNullException(argument, $"{option} is null");
    }
}
