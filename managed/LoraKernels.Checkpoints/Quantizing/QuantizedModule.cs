namespace LoraKernels.Checkpoints;

/// <summary>How a module's weight came out.</summary>
/// <param name="Name">The module's name.</param>
/// <param name="OutFeatures">N.</param>
/// <param name="InFeatures">K.</param>
/// <param name="SourceBytes">Bytes of the weight before.</param>
/// <param name="Bytes">Bytes of its tensors now.</param>
/// <param name="Error">What is lost.</param>
public sealed record QuantizedModule(
    string Name, long OutFeatures, long InFeatures, long SourceBytes, long Bytes, QuantizationError Error);

/// <summary>The difference between a weight and what its quantized form decodes to.</summary>
/// <param name="MaxAbsolute">The largest difference of an element.</param>
/// <param name="RelativeRms">‖difference‖ / ‖weight‖; 0 for a weight of zeros.</param>
/// <param name="WorstRelativeRms">The same of the group where it is largest.</param>
/// <param name="WorstRow">Where that group begins.</param>
/// <param name="WorstColumn">Where that group begins.</param>
public sealed record QuantizationError(
    double MaxAbsolute, double RelativeRms, double WorstRelativeRms, long WorstRow, long WorstColumn);

/// <summary>A matrix that is kept as it is.</summary>
/// <param name="Name">The module's name.</param>
/// <param name="Reason">Why.</param>
public sealed record KeptModule(string Name, string Reason);

/// <summary>What became of a model.</summary>
/// <param name="Modules">Modules that are quantized, in the order of the files.</param>
/// <param name="Kept">Matrices that are not.</param>
/// <param name="SourceBytes">Bytes of all tensors before.</param>
/// <param name="Bytes">Bytes of all tensors now.</param>
public sealed record QuantizedModel(
    IReadOnlyList<QuantizedModule> Modules, IReadOnlyList<KeptModule> Kept, long SourceBytes, long Bytes);

/// <summary>How far quantizing has come; reported before each tensor.</summary>
/// <param name="Name">The tensor that is next.</param>
/// <param name="Bytes">Bytes of the source that are done.</param>
/// <param name="TotalBytes">Bytes of the source.</param>
public sealed record QuantizeProgress(string Name, long Bytes, long TotalBytes);
