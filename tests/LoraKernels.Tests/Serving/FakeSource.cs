using LoraKernels.Serving;

namespace LoraKernels.Tests.Serving;

/// <summary>A source that reads when it is told to, or at once; counts its reads and may fail.</summary>
internal sealed class FakeSource(Func<LoraAdapter> make, Faults? faults = null) : IAdapterSource
{
    private readonly Lock _lock = new();
    private readonly List<TaskCompletionSource> _pending = [];

    public FakeSource(LoraAdapter adapter, Faults? faults = null)
        : this(() => adapter, faults)
    {
    }

    /// <summary>Whether reads wait for <see cref="Release"/>.</summary>
    public bool IsHeld { get; set; }

    /// <summary>Whether a read that waits ends when it is cancelled, as good sources do.</summary>
    public bool HeedsCancellation { get; set; } = true;

    /// <summary>What reads throw, or null.</summary>
    public Exception? Error { get; set; }

    public int Reads { get; private set; }

    public async ValueTask<LoraAdapter> ReadAsync(CancellationToken cancellationToken)
    {
        Task gate = Task.CompletedTask;
        lock (_lock)
        {
            Reads++;
            if (IsHeld)
            {
                var pending = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _pending.Add(pending);
                gate = pending.Task;
                if (HeedsCancellation)
                    cancellationToken.UnsafeRegister(_ => pending.TrySetCanceled(cancellationToken), null);
            }
        }
        await gate.ConfigureAwait(true);
        faults?.Pass();
        return Error is null ? make() : throw Error;
    }

    /// <summary>Lets the reads that wait go on.</summary>
    public void Release()
    {
        TaskCompletionSource[] pending;
        lock (_lock)
        {
            pending = [.. _pending];
            _pending.Clear();
        }
        foreach (TaskCompletionSource read in pending)
            read.TrySetResult();
    }
}
