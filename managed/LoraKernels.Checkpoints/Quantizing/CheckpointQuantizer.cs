using LoraKernels.Checkpoints.Writing;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Quantizes a model of numbers and writes it as the library that has the format would: bitsandbytes' NF4 and FP4 as
/// transformers keeps them, int4 as compressed-tensors does (pack-quantized).
/// </summary>
/// <remarks>
/// One tensor after the other goes through memory. The new folder appears whole or not at all; shards keep their names and
/// tensors, and all that is not quantized is copied as it is, other files (tokenizer, licence) too.
/// </remarks>
public sealed class CheckpointQuantizer
{
    private readonly QuantizeOptions _options;
    private readonly ModuleSelection _selection;
    private readonly IWeightWriter _writer;

    /// <param name="options">To what; <see cref="QuantizeOptions.ScaleDType"/> is the weights' own type.</param>
    /// <param name="selection">Which modules; null for all linears but those kept by default.</param>
    /// <exception cref="ArgumentException">A format that cannot be written.</exception>
    public CheckpointQuantizer(QuantizeOptions options, ModuleSelection? selection = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        _selection = selection ?? new ModuleSelection();
        _writer = options.Format switch
        {
            WeightFormat.BitsAndBytesNf4 or WeightFormat.BitsAndBytesFp4 =>
                new BitsAndBytesModelWriter(options.Format, options.GroupSize, options.OuterGroupSize),
            WeightFormat.Int4Packed when options.ScaleDType is null =>
                new CompressedTensorsWriter(options.GroupSize, options.HasZeroPoints),
            WeightFormat.Int4Packed => throw new ArgumentException(
                $"ScaleDType is {options.ScaleDType}; compressed-tensors has scales of the weights' own type, null",
                nameof(options)),
            _ => throw new ArgumentException($"{options.Format} can only be read; NF4, FP4 and int4 can be written",
                nameof(options)),
        };
    }

    /// <summary>Quantizes a model's folder into a new one.</summary>
    /// <param name="modelPath">A folder with safetensors and <c>config.json</c>, or what <see cref="Checkpoint.Open"/> takes.</param>
    /// <param name="outputPath">Not there, or an empty folder.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="progress">Told before each tensor.</param>
    /// <param name="cancellation">Looked at before each tensor; what was written is deleted.</param>
    /// <exception cref="CheckpointException">
    /// The model cannot be read, is quantized already, is no safetensors model, or has nothing to be quantized; a weight
    /// that is not finite, which is named; the output is there.
    /// </exception>
    /// <exception cref="IOException">The disk refused; what was written is deleted.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public QuantizedModel Run(
        string modelPath, string outputPath, Device device, IProgress<QuantizeProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentException.ThrowIfNullOrEmpty(outputPath);
        using var checkpoint = Checkpoint.Open(modelPath);
        var source = checkpoint.Source;
        if (source is not SafetensorsSource)
            throw new CheckpointException(source.Path, null, $"is {source.Kind}; safetensors models can be quantized");
        if (checkpoint.Weights.Count > 0)
        {
            throw new CheckpointException(source.Path, checkpoint.Weights[0].Name,
                $"is quantized already, {checkpoint.Weights[0].Format}; a model of F32, F16 or BF16 is needed");
        }
        var plan = QuantizePlan.Of(source.Tensors, _selection, _writer);
        if (plan.Modules.Count == 0)
            throw new CheckpointException(source.Path, null, $"has nothing to be quantized; {plan.KeptText}");
        string folder = CheckpointLocator.FolderOf(source);
        using var output = new OutputFolder(outputPath);
        var run = new QuantizeRun(source, plan, _options, _writer, device, progress, cancellation);
        var shards = new List<(string, IReadOnlyList<SafetensorsEntry>)>();
        foreach (var shard in source.Tensors.GroupBy(t => t.File).OrderBy(s => s.Key, StringComparer.Ordinal))
        {
            string name = Path.GetFileName(shard.Key);
            shards.Add((name, run.WriteShard([.. shard.OrderBy(t => t.Offset)], Path.Combine(output.Path, name))));
        }
        if (shards.Count > 1) ModelFiles.WriteIndex(output.Path, shards);
        ModelFiles.CopyOthers(folder, output.Path, cancellation);
        ModelFiles.WriteConfig(folder, output.Path,
            json => _writer.WriteConfig(json, [.. plan.Kept.Select(k => k.Name)], plan.ModelType));
        cancellation.ThrowIfCancellationRequested();
        output.Complete();
        return run.Result();
    }
}
