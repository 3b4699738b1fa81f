using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace LoraKernels.Serving;

public sealed partial class AdapterPool
{
    /// <summary>Leases an adapter that is on the device now.</summary>
    /// <param name="adapter">A version of this pool.</param>
    /// <param name="lease">Dispose it when the request is done; null where the adapter is not there.</param>
    /// <returns>Whether it is there. If not, nothing is begun.</returns>
    /// <exception cref="ArgumentException">It is another pool's.</exception>
    /// <exception cref="ObjectDisposedException">The pool is disposed.</exception>
    /// <exception cref="LoraKernelsException"><see cref="LoraKernelsStatus.DeviceLost"/>.</exception>
    public bool TryAcquire(PooledAdapter adapter, [NotNullWhen(true)] out AdapterLease? lease)
    {
        RequireOwn(adapter);
        lock (_gate)
        {
            ThrowIfUnusable();
            lease = null;
            if (!_ledger.TryHold(adapter))
                return false;
            adapter.CountUse();
            _hits++;
        }
        lease = new AdapterLease(this, adapter);
        return true;
    }

    /// <summary>A batch for an engine's loop, of no rows at first. Make it once; every step sets it anew.</summary>
    /// <param name="capacity">
    /// What a step can hold; its memory never moves, so that graphs may be recorded with it.
    /// </param>
    /// <param name="stream">On which stream; null for the device's default one.</param>
    /// <exception cref="ArgumentException">A stream of another device.</exception>
    /// <exception cref="ObjectDisposedException">The pool or the stream is disposed.</exception>
    /// <exception cref="LoraKernelsException">
    /// <see cref="LoraKernelsStatus.InvalidArgument"/>: a negative capacity;
    /// <see cref="LoraKernelsStatus.OutOfMemory"/>; <see cref="LoraKernelsStatus.DeviceLost"/>.
    /// </exception>
    public PoolBatch CreateBatch(LoraBatchCapacity capacity, DeviceStream? stream = null)
    {
        ArgumentNullException.ThrowIfNull(capacity);
        lock (_gate)
            ThrowIfUnusable();
        return new PoolBatch(this, capacity, _device.CreatePlan(capacity, stream), new StepAdmission(_ledger));
    }

    /// <summary>Ends a lease.</summary>
    internal void LetGo(PooledAdapter adapter)
    {
        List<Action>? after;
        lock (_gate)
        {
            _ledger.LetGo(adapter);
            after = Close();
        }
        Run(after);
    }

    /// <summary>Ends a step's leases.</summary>
    internal void LetGo(List<PooledAdapter> held)
    {
        List<Action>? after;
        lock (_gate)
        {
            foreach (PooledAdapter adapter in held)
                _ledger.LetGo(adapter);
            after = Close();
        }
        held.Clear();
        Run(after);
    }

    /// <summary>
    /// Judges a step's sequences in their order, holds what they need and begins to load what is missing.
    /// </summary>
    /// <param name="contents">The sequences; gets what becomes of each.</param>
    /// <param name="admission">The batch's.</param>
    /// <param name="capacity">The batch's.</param>
    /// <param name="held">What the batch holds of the step before.</param>
    /// <param name="next">Gets what it holds from now on.</param>
    internal StepResult Admit(
        StepContents contents, StepAdmission admission, LoraBatchCapacity capacity, List<PooledAdapter> held,
        List<PooledAdapter> next)
    {
        List<Action>? after;
        StepResult result = default;
        lock (_gate)
        {
            ThrowIfUnusable();
            admission.Begin(CollectionsMarshal.AsSpan(held));
            var room = new PlanRoom(capacity, admission.Step);
            for (int i = 0; i < contents.Count; i++)
                result = Count(result, Judge(contents, i, admission, ref room), contents.RowsOf(i));
            foreach (PooledAdapter adapter in admission.Claimed)
                HoldOrLoad(adapter, next);
            after = Close();
        }
        Run(after);
        return result;
    }

    /// <summary>Waits for what is under way among a step's adapters, whatever comes of it.</summary>
    internal Task WhenSettledAsync(StepContents contents, CancellationToken cancellationToken)
    {
        var waiters = new List<Task>();
        lock (_gate)
        {
            for (int i = 0; i < contents.Count; i++)
            {
                if (contents.States[i] != SequenceState.Loading)
                    continue;
                foreach (RowAdapter term in contents.TermsOf(i))
                {
                    if (term.Adapter?.Operation is not { } operation)
                        continue;
                    var waiter = new LoadedWaiter { Operation = operation };
                    operation.Waiters.Add(waiter);
                    waiters.Add(waiter.Task);
                }
            }
        }
        // Why a load failed is said of the sequence that needs it.
        Task all = Task.WhenAll(waiters).ContinueWith(
            static task => _ = task.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return all.WaitAsync(cancellationToken);
    }

    /// <summary>Tells the pool of a failed step: a lost device is lost for all.</summary>
    internal void Report(Exception error)
    {
        if (error is not LoraKernelsException { Status: LoraKernelsStatus.DeviceLost } lost)
            return;
        List<Action>? after;
        lock (_gate)
        {
            Lose(lost);
            after = Close();
        }
        Run(after);
    }

    private static StepResult Count(StepResult result, SequenceState state, int rows) => state switch
    {
        SequenceState.Ready => result with { Ready = result.Ready + 1, Rows = result.Rows + rows },
        SequenceState.Loading => result with { Loading = result.Loading + 1 },
        SequenceState.NoRoom => result with { NoRoom = result.NoRoom + 1 },
        _ => result with { Refused = result.Refused + 1 },
    };

    private static SequenceState Judge(StepContents contents, int sequence, StepAdmission admission, ref PlanRoom room)
    {
        ReadOnlySpan<RowAdapter> terms = contents.TermsOf(sequence);
        Exception? error = null;
        SequenceState state = SequenceState.Ready;
        bool checkSum = terms.Length > 1;
        foreach (RowAdapter term in terms)
        {
            if (term.Adapter is not { } adapter)
                continue;
            checkSum |= term.Weight != 1;
            if (adapter.IsLoaded)
                continue;
            state = SequenceState.Loading;
            if (adapter.IsRetired)
                error = Unavailable(adapter);
            else if (adapter.Operation is null)
                error = adapter.Error ?? error;
        }
        if (error is null && checkSum && Stacking.Objection(terms) is { } objection)
        {
            string[] names = [.. terms.ToArray().Select(term => term.Adapter).OfType<PooledAdapter>().Select(a => a.Name)];
            error = new AdapterStackingException(
                sequence, contents.FirstOfAllRows(sequence), contents.RowsOf(sequence), names, objection);
        }
        if (error is not null)
            state = SequenceState.Refused;
        else if (!admission.TryClaim(terms))
            state = SequenceState.NoRoom;
        else if (state == SequenceState.Ready && !room.TryTake(terms, contents.RowsOf(sequence)))
            state = SequenceState.NoRoom;
        contents.Judge(sequence, state, error);
        return state;
    }

    private void HoldOrLoad(PooledAdapter adapter, List<PooledAdapter> next)
    {
        if (_ledger.TryHold(adapter))
        {
            next.Add(adapter);
            adapter.CountUse();
            _hits++;
            return;
        }
        if (adapter.Operation is null)
            _misses++;
        Start(adapter).IsWantedAnyway = true;
    }
}
