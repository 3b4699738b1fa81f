using Microsoft.Extensions.Logging;

namespace LoraKernels.Serving;

/// <summary>What the pool says, with stable event numbers.</summary>
internal static partial class PoolLog
{
    [LoggerMessage(1, LogLevel.Information, "Pool {Pool}: loaded {Adapter}, {Bytes} bytes in {Milliseconds} ms")]
    public static partial void Loaded(ILogger logger, string pool, PooledAdapter adapter, long bytes, double milliseconds);

    [LoggerMessage(2, LogLevel.Warning, "Pool {Pool}: {Adapter} could not be loaded")]
    public static partial void Failed(ILogger logger, string pool, PooledAdapter adapter, Exception error);

    [LoggerMessage(3, LogLevel.Debug, "Pool {Pool}: {Adapter} left the device")]
    public static partial void Dropped(ILogger logger, string pool, PooledAdapter adapter);

    [LoggerMessage(4, LogLevel.Information, "Pool {Pool}: {Adapter} was unloaded or replaced")]
    public static partial void Retired(ILogger logger, string pool, PooledAdapter adapter);

    [LoggerMessage(5, LogLevel.Critical, "Pool {Pool}: the device is lost")]
    public static partial void DeviceLost(ILogger logger, string pool, Exception error);

    [LoggerMessage(6, LogLevel.Warning, "Pool {Pool}: {Adapter} could not be removed from the device")]
    public static partial void NotRemoved(ILogger logger, string pool, PooledAdapter adapter, Exception error);

    [LoggerMessage(7, LogLevel.Debug, "Pool {Pool}: {Adapter} waits for {Bytes} bytes of room")]
    public static partial void WaitsForRoom(ILogger logger, string pool, PooledAdapter adapter, long bytes);
}
