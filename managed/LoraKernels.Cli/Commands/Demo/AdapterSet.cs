using LoraKernels.Checkpoints;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>An adapter in the table, with what the reference needs of it: its factors for the layer that is run.</summary>
internal sealed record UsedAdapter(LoraAdapter Host, LoadedAdapter Loaded, long Bytes)
{
    public string Name => Host.Name;

    public long LargestRank => Host.Factors.Select(static factors => factors.Rank).DefaultIfEmpty(0).Max();
}

/// <summary>An adapter that does not fit the model, with everything that does not fit.</summary>
internal sealed record RefusedAdapter(string Name, IReadOnlyList<string> Reasons);

/// <summary>The adapters of a folder of PEFT folders, loaded for one decoder layer of a model.</summary>
internal sealed class AdapterSet : IDisposable
{
    private readonly List<UsedAdapter> _used = [];
    private readonly List<RefusedAdapter> _refused = [];

    private AdapterSet(LoraTable table) => Table = table;

    public LoraTable Table { get; }

    public IReadOnlyList<UsedAdapter> Used => _used;

    public IReadOnlyList<RefusedAdapter> Refused => _refused;

    /// <param name="folder">A PEFT folder, or a folder of them.</param>
    /// <param name="anyBase">Take adapters that name another base model too, if modules and shapes fit.</param>
    public static AdapterSet Load(
        string folder,
        Checkpoint checkpoint,
        DecoderLayer layer,
        Device device,
        bool anyBase,
        Action<string, double> progress,
        CancellationToken cancellation)
    {
        List<string> folders = FindFolders(folder);
        LoraTable table = new(
            device,
            layer.Linears.Select(static linear => new LoraModule(linear.Name, linear.InFeatures, linear.OutFeatures)),
            anyBase ? null : checkpoint.BaseModelName);
        AdapterSet set = new(table);
        try
        {
            Dictionary<string, WeightInfo> weights = checkpoint.Weights.ToDictionary(static weight => weight.Name);
            foreach (string path in folders)
            {
                cancellation.ThrowIfCancellationRequested();
                progress($"Loading adapter {Path.GetFileName(path)}", (double)folders.IndexOf(path) / folders.Count);
                set.Add(PeftAdapter.Read(path), weights, layer);
            }
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>The PEFT folders in a folder, by name; or the folder itself if it is one.</summary>
    public static List<string> FindFolders(string folder)
    {
        const string Config = "adapter_config.json";
        if (!Directory.Exists(folder))
            throw new CommandException($"There is no folder {folder}.");
        if (File.Exists(Path.Combine(folder, Config)))
            return [Path.GetFullPath(folder)];

        List<string> found = [.. Directory.EnumerateDirectories(folder)
            .Where(child => File.Exists(Path.Combine(child, Config)))
            .Select(Path.GetFullPath)
            .Order(StringComparer.Ordinal)];
        return found.Count > 0
            ? found
            : throw new CommandException($"{folder} has no PEFT adapter: neither it nor a folder in it holds {Config}.");
    }

    public void Dispose()
    {
        foreach (UsedAdapter adapter in _used)
            adapter.Loaded.Dispose();
        Table.Dispose();
    }

    // The table knows this layer's modules only. Factors for other layers of the model are checked against the model and
    // left out; factors for modules that the model does not have stay in, so that the table refuses the adapter.
    private void Add(LoraAdapter adapter, Dictionary<string, WeightInfo> weights, DecoderLayer layer)
    {
        HashSet<string> modules = [.. layer.Linears.Select(static linear => linear.Name)];
        List<string> elsewhere = [.. adapter.Factors.Where(factors => !modules.Contains(factors.Module))
            .Select(factors => MismatchOf(factors, weights))
            .OfType<string>()];
        LoraAdapter own = new(
            adapter.Name,
            adapter.Factors.Where(factors => modules.Contains(factors.Module) || !weights.ContainsKey(factors.Module)),
            adapter.BaseModel,
            adapter.SavedModules.Where(module => modules.Contains(module.Name)));
        try
        {
            LoadedAdapter loaded = Table.Add(own, layer.ForAdapters);
            if (elsewhere.Count > 0)
            {
                loaded.Dispose();
                _refused.Add(new RefusedAdapter(adapter.Name, elsewhere));
                return;
            }
            _used.Add(new UsedAdapter(own, loaded, loaded.Bytes));
        }
        catch (AdapterMismatchException mismatch)
        {
            _refused.Add(new RefusedAdapter(adapter.Name, [.. mismatch.Mismatches, .. elsewhere]));
        }
    }

    private static string? MismatchOf(LoraFactors factors, Dictionary<string, WeightInfo> weights)
    {
        if (!weights.TryGetValue(factors.Module, out WeightInfo? weight))
            return null;
        return factors.A.Columns == weight.InFeatures && factors.B.Rows == weight.OutFeatures
            ? null
            : $"{factors.Module}: the adapter is for [{factors.B.Rows}, {factors.A.Columns}], "
                + $"the model has [{weight.OutFeatures}, {weight.InFeatures}]";
    }
}
