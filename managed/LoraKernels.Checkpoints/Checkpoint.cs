namespace LoraKernels.Checkpoints;

/// <summary>
/// An opened model: its quantized weights and its other tensors, whatever kind of checkpoint it is. Everything that the
/// files say about themselves is checked when it is opened; data is read when asked for.
/// </summary>
/// <remarks>Reading is safe from several threads at once.</remarks>
public sealed partial class Checkpoint : IDisposable
{
    private const int ExamplesInMessages = 3;

    private readonly TensorSource _source;
    private readonly Dictionary<string, WeightEntry> _weights;

    internal Checkpoint(TensorSource source, string? baseModelName)
    {
        _source = source;
        BaseModelName = baseModelName;
        // A GGUF or ONNX file says all of itself; what else is in its folder may be another model's.
        var config = source is GgufSource or OnnxSource ? null : QuantizationConfig.Read(CheckpointLocator.FolderOf(source));
        (var entries, Remarks) = WeightReaders.Find(source, config);
        _weights = new Dictionary<string, WeightEntry>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (_weights.TryAdd(entry.Info.Name, entry)) continue;
            var other = _weights[entry.Info.Name].Info;
            throw new CheckpointException(source.Path, entry.Info.Name,
                $"is both {other.Format} and {entry.Info.Format} by its tensors; expected one of them");
        }
        Weights = [.. entries.Select(e => e.Info)];
        var parts = entries.SelectMany(e => e.Parts).Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
        Tensors = [.. source.Tensors.Where(t => !parts.Contains(t.Name))];
    }

    /// <summary>Full path of the file, or of the folder that holds the shards.</summary>
    public string Path => _source.Path;

    /// <summary>What it is, for people: "safetensors", "safetensors in 3 shards", "GGUF 3", "ONNX".</summary>
    public string Kind => _source.Kind;

    /// <summary>
    /// The model's name in its own words, as adapters name their base: <c>_name_or_path</c> of <c>config.json</c>, in
    /// GGUF <c>general.source.huggingface.repository</c>. Null when it does not say.
    /// </summary>
    public string? BaseModelName { get; }

    /// <summary>Weights that can be loaded to a device.</summary>
    public IReadOnlyList<WeightInfo> Weights { get; }

    /// <summary>What should be known of how this checkpoint is read, in sentences; mostly nothing.</summary>
    public IReadOnlyList<string> Remarks { get; }

    /// <summary>All tensors that are no part of one of <see cref="Weights"/>.</summary>
    public IReadOnlyList<TensorInfo> Tensors { get; }

    internal TensorSource Source => _source;

    /// <summary>Opens a checkpoint, finding out from the files what it is.</summary>
    /// <param name="path">
    /// A .safetensors, .gguf or .onnx file, a shard index, or a folder with one of them.
    /// </param>
    /// <exception cref="CheckpointException">It is none of these, or malformed; says what was found.</exception>
    public static Checkpoint Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var source = CheckpointLocator.Open(path, out string? baseModelName);
        try
        {
            return new Checkpoint(source, baseModelName);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Reads a weight's tensors, or a slice of them, into host memory.</summary>
    /// <param name="name">As in <see cref="Weights"/>.</param>
    /// <param name="slice">
    /// Some of its rows or columns, all when null. No more is read than the slice needs: its share of codes, scales and zero
    /// points, and tables and orders of groups whole. (HQQ keeps codes that are half a weight apart in one byte, so that rows may
    /// take twice their share.)
    /// </param>
    /// <exception cref="CheckpointException">No such weight, or the file got shorter since it was opened.</exception>
    /// <exception cref="ArgumentException">A slice that cuts through what is stored together; says where it may be.</exception>
    public WeightTensors ReadWeight(string name, WeightSlice? slice = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        return Entry(name).ReadSlice(
            part =>
            {
                byte[] bytes = GC.AllocateUninitializedArray<byte>(part.ArrayLength());
                _source.Read(part, bytes);
                return bytes;
            },
            slice);
    }

    /// <summary>All bytes of one of <see cref="Tensors"/>, or of a part of a weight.</summary>
    /// <exception cref="CheckpointException">No such tensor, or the file got shorter since it was opened.</exception>
    public byte[] ReadTensor(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return _source.Read(_source.Find(name) ?? throw new CheckpointException(Path, name,
            $"there is no such tensor; the checkpoint has {_source.Tensors.Count}"));
    }

    /// <summary>
    /// The layers that adapters may change, for a <see cref="LoraTable"/>: every weight with its name and shape. Of a
    /// GGUF file these are GGUF's names, which PEFT adapters do not use.
    /// </summary>
    public IReadOnlyList<LoraModule> LoraModules() =>
        [.. Weights.Select(w => new LoraModule(w.Name, w.InFeatures, w.OutFeatures))];

    /// <inheritdoc/>
    public void Dispose() => _source.Dispose();

    private WeightEntry Entry(string name) => _weights.TryGetValue(name, out var entry) ? entry : throw NoWeight(name);

    private CheckpointException NoWeight(string name)
    {
        string reason = "there is no such quantized weight";
        var related = _source.Tensors.Where(t => t.Name == name || t.Name.StartsWith(name + ".", StringComparison.Ordinal))
            .Take(ExamplesInMessages).Select(t => $"{CheckpointException.Quote(t.Name)} ({t.Type} {t.ShapeText})");
        string found = string.Join(", ", related);
        if (found.Length > 0)
        {
            return new CheckpointException(
                Path, name, $"{reason}; found {found}. Quantized weights can be read from {WeightReaders.Readable}");
        }
        string examples = string.Join(", ", Weights.Take(ExamplesInMessages).Select(w => CheckpointException.Quote(w.Name)));
        return new CheckpointException(Path, name, Weights.Count == 0
            ? $"{reason}; the checkpoint has none"
            : $"{reason}; the checkpoint has {Weights.Count}, among them {examples}");
    }
}
