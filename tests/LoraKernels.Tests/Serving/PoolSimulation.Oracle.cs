using LoraKernels.Serving;
using NUnit.Framework;
using Plan = LoraKernels.Tests.Serving.RecordingDevice.RecordedPlan;

namespace LoraKernels.Tests.Serving;

// The oracle: what must hold of a step, of a call that has ended, and of everything at any time.
internal sealed partial class PoolSimulation
{
    private void CheckSequence(PoolBatch batch, Plan plan, int sequence, RowAdapter[] terms, bool mustFit)
    {
        PooledAdapter[] adapters = [.. terms.Select(term => term.Adapter).OfType<PooledAdapter>()];
        switch (batch.States[sequence])
        {
            case SequenceState.Ready:
                int row = batch.FirstRowOf(sequence);
                int last = Enumerable.Range(sequence + 1, batch.Sequences - sequence - 1)
                    .Select(batch.FirstRowOf).FirstOrDefault(first => first >= 0, batch.Rows);
                for (; row < last; row++)
                {
                    int first = (int)plan.RowOffsets[row];
                    Require(plan.RowOffsets[row + 1] - first == adapters.Length, "entries of a row");
                    RowAdapter[] named = [.. terms.Where(term => term.Adapter is not null)];
                    for (int i = 0; i < adapters.Length; i++)
                    {
                        Require(plan.Entries[first + i].Adapter.Name == ContentOf(adapters[i]), "another's adapter on a row");
                        Require(plan.Weights[first + i] == named[i].Weight, "another weight on a row");
                    }
                }
                break;
            case SequenceState.Loading:
                Require(adapters.Any(adapter => !adapter.IsLoaded), "waits for what is there");
                break;
            case SequenceState.NoRoom:
                Require(!mustFit, "no room, though all of the step would fit");
                break;
            default:
                bool failed = batch.ErrorOf(sequence) is InjectedException or PoolCapacityException;
                Require(failed || adapters.Any(adapter => adapter.IsRetired), "refused without a reason");
                break;
        }
    }

    private string ContentOf(PooledAdapter adapter) =>
        _contents.TryGetValue(adapter, out string? content) ? content : ((Source)adapter.Source).Content;

    private void CheckCalls()
    {
        for (int i = _calls.Count - 1; i >= 0; i--)
        {
            Call call = _calls[i];
            if (!call.Task.IsCompleted)
                continue;
            _calls.RemoveAt(i);
            call.Cancellation.Dispose();
            PooledAdapter? got = call.Task switch
            {
                Task<PooledAdapter> { IsCompletedSuccessfully: true } loaded => loaded.Result,
                Task<AdapterLease> { IsCompletedSuccessfully: true } leased => Keep(leased.Result),
                _ => null,
            };
            if (got is null)
            {
                Require(
                    call.Task.IsCanceled || call.Task.Exception!.InnerException is InjectedException
                        or AdapterUnavailableException or PoolCapacityException or OperationCanceledException,
                    $"a call ended with {call.Task.Exception?.InnerException}");
                continue;
            }
            _contents.TryAdd(got, ((Source)got.Source).Content);
            Require(call.Adapter is null || call.Adapter == got, "another version than asked for");
            Require(got.Name == call.Name && ContentOf(got) == call.Content, "another adapter than asked for");
        }

        PooledAdapter Keep(AdapterLease lease)
        {
            _leases.Add(lease);
            return lease.Adapter;
        }
    }

    private void CheckBooks()
    {
        Require(_device.Violations.Count == 0, string.Join(", ", _device.Violations));
        PoolStatistics now = _pool.Statistics;
        Require(now.DeviceBytes <= _size.DeviceBytes && now.Resident <= _size.Places, "more than the budget");
        Require(_device.LiveBytes <= now.DeviceBytes, "more on the device than in the books");
        Require(now.HeldBytes <= now.DeviceBytes && now.HostBytes <= _size.HostBytes, "held, or in host memory");
        if (now.Loading == now.WaitingForRoom)
            Require(_device.LiveBytes == now.DeviceBytes, "bytes in the books that are nowhere");
        foreach (AdapterLease lease in _leases)
            Require(lease.Adapter.IsLoaded, $"{lease.Adapter} is leased and gone");
    }

    private void CheckEverything()
    {
        var live = _device.Live.ToDictionary(adapter => adapter.Adapter.Name);
        foreach (AdapterLease lease in _leases)
            Require(live.ContainsKey(ContentOf(lease.Adapter)), $"{lease.Adapter} is leased and not on the device");
        foreach (PoolBatch batch in _batches)
        {
            foreach (RecordingDevice.RecordedAdapter entry in Plan.Of(batch).Entries)
                Require(_device.Find(entry.Id) == entry, $"{entry.Adapter.Name} is in a step and not on the device");
        }
        foreach ((PooledAdapter adapter, string content) in _contents)
            Require(adapter.IsLoaded == live.ContainsKey(content), $"{adapter} is said to be where it is not");
        foreach (IGrouping<string?, PooledAdapter> tenant in _contents.Keys.Where(a => a.IsLoaded).GroupBy(a => a.Tenant))
        {
            Require(
                tenant.Key is null || (tenant.Count() <= _size.TenantQuota.Adapters
                    && tenant.Sum(adapter => adapter.Bytes) <= _size.TenantQuota.Bytes),
                $"{tenant.Key} has more than its quota");
        }
        foreach (PooledAdapter gone in _contents.Keys.Where(a => a.IsRetired && !a.IsLoaded && !_old.Contains(a)).ToArray())
            _contents.Remove(gone);
    }

    private void Require(bool holds, string what)
    {
        if (!holds)
            Assert.Fail($"{what} (after {Steps} steps, during: {_doing})");
    }
}
