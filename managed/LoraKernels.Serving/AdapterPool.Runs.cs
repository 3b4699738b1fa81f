using System.Diagnostics;

namespace LoraKernels.Serving;

// How a load runs: in the queue for a thread, read, perhaps in the queue for room, copied, or ended before that.
public sealed partial class AdapterPool
{
    private readonly List<LoadOperation> _operations = [];
    private readonly Queue<LoadOperation> _queue = new();
    private int _freeSlots;

    /// <summary>The load that is under way, or a new one.</summary>
    private LoadOperation Start(PooledAdapter adapter)
    {
        if (adapter.Operation is { } running)
            return running;
        var operation = new LoadOperation(adapter, _options.TimeProvider.GetTimestamp());
        adapter.Operation = operation;
        adapter.Error = null;
        _operations.Add(operation);
        Enqueue(operation);
        return operation;
    }

    private void Enqueue(LoadOperation operation)
    {
        operation.Stage = LoadStage.Queued;
        _queue.Enqueue(operation);
    }

    private void StartQueued()
    {
        while (_freeSlots > 0 && _queue.TryDequeue(out LoadOperation? operation))
        {
            if (operation.IsOver)
                continue;
            _freeSlots--;
            operation.HasSlot = true;
            operation.Stage = LoadStage.Reading;
            StartLater(operation);
        }
    }

    // Apart, because what a lambda captures is allocated even where it is not made. The load reports its outcome
    // itself.
    private void StartLater(LoadOperation operation) => Later(() => _ = Task.Factory.StartNew(
        () => RunAsync(operation), CancellationToken.None, TaskCreationOptions.DenyChildAttach, _options.Scheduler));

    private void FreeSlot(LoadOperation operation)
    {
        if (!operation.HasSlot)
            return;
        operation.HasSlot = false;
        _freeSlots++;
    }

    /// <summary>
    /// Reads an adapter, and copies it to the device if there is room. If not it ends here, and begins anew once
    /// there is.
    /// </summary>
    private async Task RunAsync(LoadOperation operation)
    {
        using Activity? activity = PoolMeter.Activities.StartActivity("lorakernels.pool.load");
        activity?.SetTag("lorakernels.pool.name", _options.Name);
        activity?.SetTag("lorakernels.adapter.name", operation.Adapter.Name);
        List<Action>? after;
        try
        {
            // On the pool's scheduler all the way, which a test may have chosen.
            LoraAdapter adapter = await ObtainAsync(operation).ConfigureAwait(true);
            AdapterShape shape = _device.Inspect(adapter);
            bool goesOn;
            lock (_gate)
            {
                goesOn = TakeRoom(operation, shape);
                after = Close();
            }
            Run(after);
            if (!goesOn)
                return;
            IStoredAdapter stored = _device.Upload(adapter);
            lock (_gate)
            {
                Arrive(operation, stored);
                after = Close();
            }
            activity?.SetTag("lorakernels.adapter.bytes", shape.Bytes);
        }
        catch (Exception error)
        {
            lock (_gate)
            {
                Fail(operation, error);
                after = Close();
            }
            activity?.SetStatus(ActivityStatusCode.Error, error.Message);
        }
        Run(after);
    }

    private async ValueTask<LoraAdapter> ObtainAsync(LoadOperation operation)
    {
        PooledAdapter version = operation.Adapter;
        lock (_gate)
        {
            if (operation.IsOver)
                throw new OperationCanceledException(operation.Token);
            if (_host.TryGet(version, out LoraAdapter? kept))
                return kept;
        }
        LoraAdapter adapter = await version.Source.ReadAsync(operation.Token).ConfigureAwait(true)
            ?? throw new InvalidOperationException($"the source of adapter '{version.Name}' returned null");
        if (version.Source is MemorySource)
            return adapter;
        lock (_gate)
        {
            if (!operation.IsOver)
                _host.Put(version, adapter);
        }
        return adapter;
    }

    /// <summary>
    /// Makes sure of the room that the adapter needs now: its source may have changed since it was measured.
    /// </summary>
    /// <returns>Whether it has it. If not, the load goes on when it has, or is over.</returns>
    private bool TakeRoom(LoadOperation operation, AdapterShape shape)
    {
        if (operation.IsOver)
            return false;
        PooledAdapter adapter = operation.Adapter;
        adapter.Shape = shape;
        if (adapter.Residency == Residency.Reserved && adapter.RoomBytes != shape.Bytes)
            _ledger.GiveUpRoom(adapter);
        if (adapter.Residency != Residency.Reserved)
        {
            if (!_ledger.CouldEverHold(adapter, shape.Bytes))
            {
                bool deviceCould = _ledger.Device.CouldEverHold(shape.Bytes);
                Account account = deviceCould ? adapter.Account : _ledger.Device;
                throw new PoolCapacityException(adapter.Name, shape.Bytes, account.Quota, account.Tenant);
            }
            if (!_ledger.Reserve(adapter, shape.Bytes))
            {
                operation.Stage = LoadStage.WaitingForRoom;
                FreeSlot(operation);
                Later(() => PoolLog.WaitsForRoom(_options.Logger, _options.Name, adapter, shape.Bytes));
                return false;
            }
        }
        operation.Stage = LoadStage.Uploading;
        operation.HadRoom = _options.TimeProvider.GetTimestamp();
        return true;
    }

    /// <summary>An upload is done.</summary>
    private void Arrive(LoadOperation operation, IStoredAdapter stored)
    {
        FreeSlot(operation);
        PooledAdapter adapter = operation.Adapter;
        if (operation.IsOver)
        {
            // The pool was disposed or its device lost meanwhile.
            _ledger.GiveUpRoom(adapter);
            Later(() => Remove(adapter, stored));
            return;
        }
        Close(operation);
        adapter.Stored = stored;
        adapter.StoredId = stored.Id;
        adapter.ForgetOnFailure = false;
        adapter.LoadTime = _options.TimeProvider.GetElapsedTime(operation.Started);
        _loads++;
        _loadedBytes += adapter.RoomBytes;
        _ledger.Arrive(adapter);
        if (!adapter.IsRetired && !adapter.IsPublished && !Publish(adapter))
            Retire(adapter);
        foreach (LoadWaiter waiter in operation.Waiters)
        {
            if (adapter.IsRetired)
                Later(() => waiter.Fail(Unavailable(adapter)));
            else
                Settle(waiter, adapter);
        }
        operation.Waiters.Clear();
        _ledger.LetGo(adapter);
        TimeSpan wait = _options.TimeProvider.GetElapsedTime(operation.Started, operation.HadRoom);
        Later(() =>
        {
            _meter.Loaded(adapter.LoadTime, wait);
            PoolLog.Loaded(
                _options.Logger, _options.Name, adapter, adapter.Bytes, adapter.LoadTime.TotalMilliseconds);
        });
    }

    private bool Publish(PooledAdapter adapter)
    {
        PooledAdapter? before = _ledger.Find(adapter.Name);
        if (before is not null && before.Id < adapter.Id)
            Retire(before);
        return _ledger.Publish(adapter);
    }

    /// <summary>A load failed.</summary>
    private void Fail(LoadOperation operation, Exception error)
    {
        FreeSlot(operation);
        if (error is LoraKernelsException { Status: LoraKernelsStatus.DeviceLost } lost)
            Lose(lost);
        if (operation.IsOver)
        {
            // Whoever ended it has given up its room, but for what was on its way to the device.
            if (operation.Stage == LoadStage.Uploading)
                _ledger.GiveUpRoom(operation.Adapter);
            return;
        }
        _failures++;
        operation.Adapter.Error = error;
        Later(() => PoolLog.Failed(_options.Logger, _options.Name, operation.Adapter, error));
        End(operation, error);
        _ledger.GiveUpRoom(operation.Adapter);
    }

    /// <summary>
    /// Gives a load an outcome that is an error. What is on its way to the device keeps its room until it arrives.
    /// </summary>
    private void End(LoadOperation operation, Exception error)
    {
        PooledAdapter adapter = operation.Adapter;
        bool uploads = operation.Stage == LoadStage.Uploading;
        Close(operation);
        if (!uploads)
        {
            FreeSlot(operation);
            _ledger.GiveUpRoom(adapter);
            Later(operation.Cancel);
        }
        foreach (LoadWaiter waiter in operation.Waiters)
            Later(() => waiter.Fail(error));
        operation.Waiters.Clear();
        if (adapter.ForgetOnFailure)
            Retire(adapter);
    }

    private void Close(LoadOperation operation)
    {
        operation.IsOver = true;
        operation.Adapter.Operation = null;
        _operations.Remove(operation);
    }
}
