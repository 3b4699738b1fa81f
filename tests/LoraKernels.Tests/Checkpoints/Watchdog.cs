using System.Diagnostics;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Tells of an execution on this thread that takes too long, also of one that never ends.</summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>Processor time of the executing thread that one execution may take.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(1);

    /// <summary>Of the clock: after that long an execution is taken for a hang, whatever it waits for.</summary>
    private static readonly TimeSpan Hang = TimeSpan.FromMinutes(5);

    private readonly ThreadClock _clock = ThreadClock.OfThisThread();
    private readonly string _run;
    private readonly Timer _timer;
    private long _seed;
    private long _began = Stopwatch.GetTimestamp();
    private TimeSpan _before;

    public Watchdog(string run)
    {
        _run = run;
        _timer = new Timer(_ => EndHang(), null, Longest, Longest);
    }

    public void Begin(long seed)
    {
        Volatile.Write(ref _seed, seed);
        Volatile.Write(ref _began, Stopwatch.GetTimestamp());
        _before = _clock.Time;
    }

    public void End()
    {
        TimeSpan time = _clock.Time - _before;
        if (time > Longest) Assert.Fail($"{_run}, seed {_seed}: took {time} of processor time");
    }

    public void Dispose() => _timer.Dispose();

    private void EndHang()
    {
        if (Stopwatch.GetElapsedTime(Volatile.Read(ref _began)) > Hang)
            Environment.FailFast($"{_run}, seed {Volatile.Read(ref _seed)}: hangs");
    }
}
