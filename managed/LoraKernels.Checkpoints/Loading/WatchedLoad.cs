using System.Diagnostics;
using System.Globalization;

namespace LoraKernels.Checkpoints;

/// <summary>
/// A load whose task ends in time though a read never returns: no system gives up a read of a file, so that the thread that
/// waits for it is left alone and everything else is freed. When the read does return, its thread frees the memory that it
/// read into, and ends.
/// </summary>
internal sealed class WatchedLoad(TensorSource source, Device device, LoadOptions options, CancellationToken cancellation)
    : IDisposable
{
    /// <summary>How long a cancelled load waits for a read.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly WatchedSource _source = new(source);
    private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);

    /// <summary>Loads, once; it disposes itself when the last of its threads has ended.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; where a read does not return, about a second later.</exception>
    /// <exception cref="CheckpointException">A file that changed, a disk that failed, or one that is stuck.</exception>
    public async Task<WeightCollection> Run(IReadOnlyList<WeightEntry> entries)
    {
        var loader = new WeightLoader(_source, device, options, _stop.Token);
        Task<WeightCollection> load = Task.Run(
            () =>
            {
                using (loader) return loader.Load(entries);
            },
            CancellationToken.None);
        if (await WaitFor(load).ConfigureAwait(false) is { } reason)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            loader.Abandon();
            _ = load.ContinueWith(Forget, TaskScheduler.Default);
            throw reason;
        }
        try
        {
            return await load.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            throw new OperationCanceledException(cancellation);
        }
        finally
        {
            Dispose();
        }
    }

    public void Dispose()
    {
        _stop.Dispose();
        _source.Dispose();
    }

    /// <summary>Waits for the end of a load, or for a read longer than it may take: then returns what to say of it.</summary>
    private async Task<Exception?> WaitFor(Task load)
    {
        // Without a limit there is nothing to look at before the load is cancelled.
        TimeSpan tick = options.StallTimeout is { } timeout
            ? TimeSpan.FromMilliseconds(Math.Clamp(timeout.TotalMilliseconds / 4, 1, 1000))
            : Timeout.InfiniteTimeSpan;
        long? cancelledAt = null;
        while (true)
        {
            using (var pause = CancellationTokenSource.CreateLinkedTokenSource(
                cancelledAt is null ? cancellation : CancellationToken.None))
            {
                await Task.WhenAny(load, Task.Delay(cancelledAt is null ? tick : Patience / 4, pause.Token)).ConfigureAwait(false);
                // Or the delay would stay where it was registered.
                await pause.CancelAsync().ConfigureAwait(false);
            }
            if (load.IsCompleted) return null;
            if (cancellation.IsCancellationRequested) cancelledAt ??= Stopwatch.GetTimestamp();
            if (_source.Oldest is not { } read) continue;
            if (cancelledAt is { } since && Stopwatch.GetElapsedTime(since) >= Patience && read.Age >= Patience)
                return new OperationCanceledException(cancellation);
            if (options.StallTimeout is { } limit && read.Age > limit) return Stalled(read, limit);
        }
    }

    private static CheckpointException Stalled(PendingRead read, TimeSpan limit)
    {
        string seconds = read.Age.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);
        string allowed = limit.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture);
        return new CheckpointException(read.Tensor.File, read.Tensor.Name,
            $"the read of {read.Runs.Bytes} bytes from byte {read.Tensor.Offset + read.Runs.First} of the file on has not returned "
            + $"for {seconds} s; {nameof(LoadOptions.StallTimeout)} allows {allowed} s. Its disk or network is stuck, or slower");
    }

    private void Forget(Task<WeightCollection> load)
    {
        if (load.IsCompletedSuccessfully) load.Result.Dispose();
        // Looked at, so that nobody reports it as lost.
        _ = load.Exception;
        Dispose();
    }
}
