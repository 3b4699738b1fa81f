using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Tells of an execution that takes too long, also of one that never ends.</summary>
internal sealed class Watchdog : IDisposable
{
    /// <summary>How many times as long as it may an execution takes until it is taken for a hang.</summary>
    private const int Hang = 20;

    private readonly string _execution;
    private readonly TimeSpan _longest;
    private readonly TimeSpan _before = Environment.CpuUsage.TotalTime;
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
        // Of processor time: other work on the machine is none of its business.
        TimeSpan time = Environment.CpuUsage.TotalTime - _before;
        if (time > _longest) Assert.Fail($"{_execution}: took {time}");
    }
}
