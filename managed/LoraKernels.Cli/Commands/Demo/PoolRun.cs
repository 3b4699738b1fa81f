using LoraKernels.Serving;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>The requests once more, through a pool that has room for about half of the adapters.</summary>
internal static class PoolRun
{
    /// <param name="together">The requests in one batch with all adapters, as they were computed.</param>
    public static DemoPool Run<T>(
        Device device,
        DecoderLayer layer,
        AdapterSet adapters,
        int[] adapterOfRow,
        Activations<T> together,
        ActivationType<T> type,
        CancellationToken cancellation)
        where T : unmanaged
    {
        IReadOnlyList<UsedAdapter> used = adapters.Used;
        long room = Math.Max(used.Sum(static adapter => adapter.Bytes) / 2, used.Max(static adapter => adapter.Bytes));
        using AdapterPool pool = new(
            device,
            adapters.Table.Modules,
            new AdapterPoolOptions { DeviceBytes = room, Adapters = layer.ForAdapters },
            adapters.Table.BaseModel);
        PooledAdapter[] known =
            [.. used.Select(adapter => pool.Register(adapter.Name, AdapterSource.FromMemory(adapter.Host)))];
        using PoolBatch batch = pool.CreateBatch(LoraBatchCapacity.ForRows(
            adapterOfRow.Length, Math.Max(1, used.Max(static adapter => adapter.LargestRank))));

        int[] waiting = [.. Enumerable.Range(0, adapterOfRow.Length)];
        int steps = 0, mostResident = 0;
        bool sameBits = true;
        while (waiting.Length > 0)
        {
            batch.Clear();
            foreach (int row in waiting)
                batch.Add(adapterOfRow[row] == RequestMix.None ? null : known[adapterOfRow[row]]);
            StepResult step = batch.SetWhenLoadedAsync(cancellationToken: cancellation).AsTask().GetAwaiter().GetResult();
            if (step.Refused > 0)
            {
                int refused = batch.States.IndexOf(SequenceState.Refused);
                throw new CommandException($"The pool refused a request: {batch.ErrorOf(refused)!.Message}");
            }
            int[] ready = Array.ConvertAll(batch.Ready.ToArray(), sequence => waiting[sequence]);
            using Activations<T> activations = new(device, layer, ready, type);
            activations.Run(batch.Plan);
            sameBits &= activations.HasSameBits(together);
            waiting = [.. waiting.Except(ready)];
            mostResident = Math.Max(mostResident, pool.Statistics.Resident);
            steps++;
        }
        PoolStatistics figures = pool.Statistics;
        return new DemoPool(
            room, mostResident, steps, figures.Loads, figures.Evictions, figures.Hits, figures.LoadedBytes, sameBits);
    }
}
