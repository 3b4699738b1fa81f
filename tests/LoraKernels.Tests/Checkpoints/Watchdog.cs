using System.Diagnostics;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Tells of an execution that takes too long, also of one that never ends.</summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>How many times as long as it may an execution takes until it is taken for a hang.</summary>
    private const int Hang = 20;

    private readonly string _execution;
    private readonly TimeSpan _longest;
    private readonly Stopwatch _time = Stopwatch.StartNew();
    private readonly Timer _timer;

    public Watchdog(string execution, TimeSpan longest)
    {
        _execution = execution;
        _longest = longest;
        _timer = new Timer(_ => Environment.FailFast($"{execution} hangs"), null, Hang * longest, Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _timer.Dispose();
        if (_time.Elapsed > _longest) Assert.Fail($"{_execution}: took {_time.Elapsed}");
    }
}
