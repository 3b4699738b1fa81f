using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace LoraKernels.Serving;

/// <summary>
/// The pool's instruments, in the meter <c>LoraKernels.Serving</c>: <c>dotnet-counters monitor --counters
/// LoraKernels.Serving</c> shows them. Counts are read when somebody asks, so that steps pay nothing for them.
/// </summary>
internal sealed class PoolMeter : IDisposable
{
    public const string MeterName = "LoraKernels.Serving";

    /// <summary>Activities of loads.</summary>
    public static readonly ActivitySource Activities = new(MeterName);

    private readonly Meter _meter;
    private readonly Histogram<double> _loadDuration;
    private readonly Histogram<double> _waitDuration;

    /// <param name="name">The pool's; a tag of all figures.</param>
    /// <param name="read">The figures now.</param>
    public PoolMeter(string name, Func<PoolStatistics> read)
    {
        _meter = new Meter(new MeterOptions(MeterName) { Tags = [new("lorakernels.pool.name", name)] });
        Gauge("resident", "{adapter}", "Adapters on the device", s => s.Resident);
        Gauge("device.bytes", "By", "Device memory of adapters", s => s.DeviceBytes);
        Gauge("device.held", "By", "Device memory of adapters that cannot make way", s => s.HeldBytes);
        Gauge("host.bytes", "By", "Host memory of adapters kept for loading again", s => s.HostBytes);
        Gauge("in_flight", "{load}", "Loads that are not done", s => s.Loading);
        Gauge("waiting", "{load}", "Loads that wait for room", s => s.WaitingForRoom);
        Count("hits", "{request}", "Adapters that were there when asked for", s => s.Hits);
        Count("misses", "{request}", "Adapters that had to be loaded", s => s.Misses);
        Count("loads", "{load}", "Loads that came to the device", s => s.Loads);
        Count("failures", "{load}", "Loads that failed", s => s.Failures);
        Count("evictions", "{adapter}", "Adapters that made way", s => s.Evictions);
        Count("loaded.bytes", "By", "Bytes copied to the device", s => s.LoadedBytes);
        _loadDuration = _meter.CreateHistogram<double>(
            "lorakernels.pool.load.duration", "s", "From the first request for an adapter until it can be used");
        _waitDuration = _meter.CreateHistogram<double>(
            "lorakernels.pool.wait.duration", "s", "The part of it until there was room and a thread to load");

        void Gauge(string instrument, string unit, string description, Func<PoolStatistics, long> value) =>
            _meter.CreateObservableUpDownCounter($"lorakernels.pool.{instrument}", () => value(read()), unit, description);

        void Count(string instrument, string unit, string description, Func<PoolStatistics, long> value) =>
            _meter.CreateObservableCounter($"lorakernels.pool.{instrument}", () => value(read()), unit, description);
    }

    public void Loaded(TimeSpan duration, TimeSpan wait)
    {
        _loadDuration.Record(duration.TotalSeconds);
        _waitDuration.Record(wait.TotalSeconds);
    }

    public void Dispose() => _meter.Dispose();
}
