using LoraKernels.Checkpoints;
using LoraKernels.Cli.Views;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>The demo from end to end: files, loading, one step checked row by row, timings.</summary>
internal static class DemoRun
{
    private const int Seed = 7;
    private const int WantedRounds = 3;
    private static readonly TimeSpan s_timingBudget = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_timingCeiling = TimeSpan.FromSeconds(25);

    public static DemoReport Run<T>(
        Device device,
        DemoOptions options,
        ActivationType<T> type,
        Action<string, double> progress,
        CancellationToken cancellation)
        where T : unmanaged
    {
        DemoFiles? files = options.Model is null || options.Adapters is null
            ? DemoFiles.Provide(new DemoCache(options.Cache), DecoderShape.Mistral7B, options.Fresh, progress, cancellation)
            : null;
        string adaptersFolder = options.Adapters ?? files!.Adapters;

        using Checkpoint checkpoint = Checkpoint.Open(options.Model ?? files!.Model);
        using DecoderLayer layer = DecoderLayer.Load(checkpoint, options.Layer, device, progress, cancellation);
        using AdapterSet adapters = AdapterSet.Load(
            adaptersFolder, checkpoint, layer, device, options.AnyBase, progress, cancellation);
        if (adapters.Used.Count == 0)
            throw new CommandException(NoneFits(adapters));

        int[] adapterOfRow = RequestMix.Mixed(options.Rows, adapters.Used.Count, Seed);
        using LayerBenchmark<T> benchmark = new(device, layer, adapters, adapterOfRow, type);

        progress("Running the batch", 0);
        benchmark.RunMixed();
        RowCheck check = RowChecker.Check(
            checkpoint,
            layer.Linears,
            Array.ConvertAll(adapterOfRow, adapter => adapter == RequestMix.None ? null : adapters.Used[adapter].Host),
            benchmark.Together.Input,
            benchmark.Together.Output,
            type.Limit,
            progress,
            cancellation);
        cancellation.ThrowIfCancellationRequested();
        benchmark.RunOneByOne();
        bool sameBits = benchmark.IsBatchInvariant();
        progress("Running the requests through an adapter pool", 0);
        DemoPool pool = PoolRun.Run(device, layer, adapters, adapterOfRow, benchmark.Together, type, cancellation);
        IReadOnlyList<DemoTiming> timings = Time(device, benchmark, adapters, adapterOfRow, progress, cancellation);

        return new DemoReport(
            DeviceOf(device),
            ModelOf(checkpoint, layer, synthetic: options.Model is null),
            AdaptersOf(adaptersFolder, adapters),
            RequestsOf(adapters, adapterOfRow, type.Name),
            MemoryOf(layer, adapters),
            timings,
            CheckOf(check, sameBits),
            pool,
            files is null ? null : new DemoFilesReport(files.Folder, files.Written, files.Seconds, files.Bytes),
            // On a GPU bits may depend on the batch unless the context is told otherwise; on a CPU they may not.
            Ok: check.Ok && ((sameBits && pool.SameBits) || device.Info.Kind != DeviceKind.Cpu));
    }

    private static List<DemoTiming> Time<T>(
        Device device,
        LayerBenchmark<T> benchmark,
        AdapterSet adapters,
        int[] adapterOfRow,
        Action<string, double> progress,
        CancellationToken cancellation)
        where T : unmanaged
    {
        UsedAdapter same = adapters.Used[benchmark.SameAdapter];
        int distinct = Math.Min(adapterOfRow.Length, adapters.Used.Count);
        int mixed = adapterOfRow.Where(static adapter => adapter != RequestMix.None).Distinct().Count();
        (string Name, string Description, Action Run)[] steps =
        [
            ("base", "base alone", benchmark.RunBase),
            ("same", $"every row {same.Name}, rank {same.LargestRank}", benchmark.RunSame),
            ("distinct", $"every row an adapter, {distinct} different", benchmark.RunDistinct),
            ("mixed", $"the requests in one batch, {mixed} adapters and plain rows", benchmark.RunMixed),
            ("one_by_one", $"the requests one adapter at a time, {benchmark.Groups} batches", benchmark.RunOneByOne),
        ];
        (TimeSpan[] medians, int rounds) = StepTimer.Measure(
            [.. steps.Select(step => new TimedStep($"Timing: {step.Description}", () =>
            {
                step.Run();
                device.DefaultStream.Synchronize();
            }))],
            WantedRounds,
            s_timingBudget,
            s_timingCeiling,
            progress,
            cancellation);
        return [.. steps.Select((step, i) => new DemoTiming(step.Name, step.Description, medians[i].TotalSeconds, rounds))];
    }

    private static string NoneFits(AdapterSet adapters)
    {
        IEnumerable<string> reasons = adapters.Refused.SelectMany(
            static adapter => adapter.Reasons.Take(3).Select(reason => $"{Environment.NewLine}  {adapter.Name}: {reason}"));
        return $"None of the {Units.Count(adapters.Refused.Count, "adapter")} fits the model:{string.Concat(reasons.Take(12))}";
    }

    private static DemoDevice DeviceOf(Device device) => new(
        device.Info.Kind == DeviceKind.Cpu ? "cpu" : "cuda",
        device.Info.Name,
        device.Info.Isa,
        device.Info.Kind == DeviceKind.Cpu ? Device.CpuThreadCount : 0,
        device.Info.MemoryBytes);

    private static DemoModel ModelOf(Checkpoint checkpoint, DecoderLayer layer, bool synthetic) => new(
        checkpoint.Path,
        synthetic,
        checkpoint.BaseModelName,
        layer.Index,
        [.. layer.Linears.Select(static linear => FormatNames.Of(linear.Weight)).Distinct()],
        layer.Weights,
        [.. layer.Linears.Select(static linear =>
            new DemoLinear(linear.Name, linear.OutFeatures, linear.InFeatures, linear.Weight.PackedBytes))]);

    private static DemoAdapters AdaptersOf(string folder, AdapterSet adapters) => new(
        folder,
        [.. adapters.Used.Select(static adapter => new DemoAdapter(
            adapter.Name,
            [.. adapter.Host.Factors.Select(static factors => factors.Rank).Distinct().Order()],
            [.. adapter.Host.Factors.Select(static factors => FormatNames.Of(factors.A.DType)).Distinct()],
            adapter.Host.Factors.Count,
            adapter.Bytes))],
        [.. adapters.Refused.Select(static adapter => new DemoRefusedAdapter(adapter.Name, adapter.Reasons))]);

    private static DemoRequests RequestsOf(AdapterSet adapters, int[] adapterOfRow, string dtype) => new(
        adapterOfRow.Length,
        adapterOfRow.Where(static adapter => adapter != RequestMix.None).Distinct().Count(),
        adapterOfRow.Count(static adapter => adapter == RequestMix.None),
        dtype,
        Array.ConvertAll(adapterOfRow, adapter => adapter == RequestMix.None ? null : adapters.Used[adapter].Name));

    private static DemoMemory MemoryOf(DecoderLayer layer, AdapterSet adapters)
    {
        const long BytesOf16Bits = 2;
        int count = adapters.Used.Count;
        return new DemoMemory(
            Base: layer.PackedBytes,
            Adapters: adapters.Table.Bytes,
            Together: layer.PackedBytes + adapters.Table.Bytes,
            FullModels16Bit: count * layer.Weights * BytesOf16Bits,
            FullModels4Bit: count * layer.PackedBytes);
    }

    private static DemoCheck CheckOf(RowCheck check, bool sameBits) => new(
        check.Checked,
        check.OverLimit,
        double.IsFinite(check.WorstError) ? check.WorstError : null,
        check.WorstRow,
        check.WorstLinear,
        check.Limit,
        double.IsFinite(check.SmallestEffect) ? check.SmallestEffect : null,
        check.LargestEffect > 0 ? check.LargestEffect : null,
        sameBits);
}
