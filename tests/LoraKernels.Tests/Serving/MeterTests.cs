using System.Diagnostics;
using System.Diagnostics.Metrics;
using LoraKernels.Serving;
using Microsoft.Extensions.Logging;
using NUnit.Framework;

namespace LoraKernels.Tests.Serving;

/// <summary>Figures, activities and log lines say what happened.</summary>
public sealed class MeterTests
{
    [Test]
    public void EveryFigureIsInTheMeterAndRight()
    {
        var figures = new Dictionary<string, double>(StringComparer.Ordinal);
        using var rig = new PoolRig(
            deviceBytes: 2 * TestAdapters.Bytes(4), with: options => options with { Name = "metered", HostBytes = 1 << 20 });
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name == "LoraKernels.Serving"
                    && instrument.Meter.Tags!.Any(tag => (string?)tag.Value == "metered"))
                {
                    self.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, _, _) => figures[instrument.Name] = value);
        listener.SetMeasurementEventCallback<double>((instrument, value, _, _) => figures[instrument.Name] = value);
        listener.Start();

        foreach (string name in (string[])["a", "b", "c"])
            rig.Load(name);
        using AdapterLease lease = rig.Acquire(rig.Pool.Find("c")!);
        Task failing = rig.Pool.LoadAsync("bad", new FakeSource(TestAdapters.Make("bad")) { Error = new InjectedException() });
        rig.Scheduler.RunAll();
        Task<PooledAdapter> slow = rig.Pool.LoadAsync(rig.Register("slow"));
        rig.Clock.Advance(TimeSpan.FromSeconds(2));
        rig.Run(slow);
        var held = new FakeSource(TestAdapters.Make("held")) { IsHeld = true };
        _ = rig.Pool.LoadAsync("held", held);
        rig.Scheduler.RunAll();
        listener.RecordObservableInstruments();
        held.Release();

        Assert.That(failing.IsFaulted);
        long one = TestAdapters.Bytes(4), host = TestAdapters.Make("x").Bytes;
        Assert.That(figures, Is.EquivalentTo(new Dictionary<string, double>(StringComparer.Ordinal)
        {
            ["lorakernels.pool.resident"] = 2,
            ["lorakernels.pool.device.bytes"] = 2 * one,
            ["lorakernels.pool.device.held"] = one,
            ["lorakernels.pool.host.bytes"] = 4 * host,
            ["lorakernels.pool.in_flight"] = 1,
            ["lorakernels.pool.waiting"] = 0,
            ["lorakernels.pool.hits"] = 1,
            ["lorakernels.pool.misses"] = 6,
            ["lorakernels.pool.loads"] = 4,
            ["lorakernels.pool.failures"] = 1,
            ["lorakernels.pool.evictions"] = 2,
            ["lorakernels.pool.loaded.bytes"] = 4 * one,
            ["lorakernels.pool.load.duration"] = 2,
            ["lorakernels.pool.wait.duration"] = 2,
        }));
    }

    [Test]
    public void LoadsAreActivities()
    {
        var seen = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "LoraKernels.Serving",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if ((string?)activity.GetTagItem("lorakernels.pool.name") == "traced")
                    seen.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using var rig = new PoolRig(with: options => options with { Name = "traced" });

        rig.Load("x");
        _ = rig.Pool.LoadAsync("bad", new FakeSource(TestAdapters.Make("bad")) { Error = new InjectedException() });
        rig.Scheduler.RunAll();

        Assert.That(seen.Select(a => (a.OperationName, a.GetTagItem("lorakernels.adapter.name"), a.Status)), Is.EqualTo(new[]
        {
            ("lorakernels.pool.load", (object)"x", ActivityStatusCode.Unset),
            ("lorakernels.pool.load", "bad", ActivityStatusCode.Error),
        }));
        Assert.That(seen[0].GetTagItem("lorakernels.adapter.bytes"), Is.EqualTo(TestAdapters.Bytes(4)));
    }

    [Test]
    public void TheLogSaysWhatHappened()
    {
        var log = new ListLogger();
        using (var rig = new PoolRig(
            deviceBytes: TestAdapters.Bytes(4), with: options => options with { Logger = log, Name = "logged" }))
        {
            rig.Load("a");
            rig.Load("b");
            rig.Pool.Unload(rig.Pool.Find("b")!);
            _ = rig.Pool.LoadAsync("bad", new FakeSource(TestAdapters.Make("bad")) { Error = new InjectedException() });
            rig.Scheduler.RunAll();
        }

        Assert.That(log.Lines, Is.EqualTo(new[]
        {
            $"Information 1: Pool logged: loaded a (version 1), {TestAdapters.Bytes(4)} bytes in 0 ms",
            "Debug 3: Pool logged: a (version 1) left the device",
            $"Information 1: Pool logged: loaded b (version 2), {TestAdapters.Bytes(4)} bytes in 0 ms",
            "Information 4: Pool logged: b (version 2) was unloaded or replaced",
            "Debug 3: Pool logged: b (version 2) left the device",
            "Warning 2: Pool logged: bad (version 3) could not be loaded: made by a test",
            "Information 4: Pool logged: bad (version 3) was unloaded or replaced",
        }));
    }

    private sealed class ListLogger : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter) =>
            Lines.Add($"{logLevel} {eventId.Id}: {formatter(state, exception)}"
                + (exception is null ? "" : $": {exception.Message}"));
    }
}
