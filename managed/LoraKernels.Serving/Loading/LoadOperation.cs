using System.Diagnostics.CodeAnalysis;

namespace LoraKernels.Serving;

/// <summary>How far a load is.</summary>
internal enum LoadStage
{
    /// <summary>In the queue for a thread.</summary>
    Queued,

    /// <summary>Read from its source; whoever asked may still call it off.</summary>
    Reading,

    /// <summary>Read and measured; there is no room for it now.</summary>
    WaitingForRoom,

    /// <summary>On its way to the device, where it arrives in any case.</summary>
    Uploading,
}

/// <summary>One load of one version, however many wait for it. All of it under the pool's lock.</summary>
[SuppressMessage(
    "Design", "CA1001", Justification = "Without a timer there is nothing to dispose of, and sources keep the token.")]
internal sealed class LoadOperation(PooledAdapter adapter, long started)
{
    private readonly CancellationTokenSource _cancellation = new();

    public PooledAdapter Adapter => adapter;

    /// <summary>When it was asked for, by the pool's clock.</summary>
    public long Started => started;

    /// <summary>When it had room and a thread, by the pool's clock.</summary>
    public long HadRoom { get; set; }

    public LoadStage Stage { get; set; }

    public List<LoadWaiter> Waiters { get; } = [];

    /// <summary>Whether it goes on when nobody waits: a step or a hint asked for it.</summary>
    public bool IsWantedAnyway { get; set; }

    /// <summary>Whether it occupies one of the pool's loading threads.</summary>
    public bool HasSlot { get; set; }

    /// <summary>Whether it has an outcome; what it still does is thrown away.</summary>
    public bool IsOver { get; set; }

    public CancellationToken Token => _cancellation.Token;

    /// <summary>Tells the source. Not under the lock: it calls what others have registered.</summary>
    public void Cancel() => _cancellation.Cancel();
}
