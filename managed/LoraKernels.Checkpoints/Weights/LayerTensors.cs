namespace LoraKernels.Checkpoints;

/// <summary>The tensors of one layer, found by its name and their endings.</summary>
/// <param name="Source">Where they are.</param>
/// <param name="Name">The layer's.</param>
/// <param name="Marker">The tensor that shows that there is such a layer.</param>
internal sealed record LayerTensors(TensorSource Source, string Name, TensorInfo Marker)
{
    public static readonly TensorType[] Floats = [TensorType.F16, TensorType.BF16, TensorType.F32];

    /// <summary>The layers that have a tensor with that ending.</summary>
    public static IEnumerable<LayerTensors> Of(TensorSource source, string ending)
    {
        foreach (var tensor in source.Tensors)
        {
            if (tensor.Name.Length > ending.Length && tensor.Name.EndsWith(ending, StringComparison.Ordinal))
                yield return new LayerTensors(source, tensor.Name[..^ending.Length], tensor);
        }
    }

    public TensorInfo? Find(string ending) => Source.Find(Name + ending);

    public TensorInfo Require(string ending) => Find(ending) ?? throw new CheckpointException(Marker.File, Name + ending,
        $"is missing, but {CheckpointException.Quote(Marker.Name)} is there");

    /// <summary>Refuses a tensor unless it has one of these types and that shape.</summary>
    public static TensorInfo Expect(TensorInfo tensor, TensorType[] types, params long[] shape)
    {
        if (types.Contains(tensor.Type) && tensor.Shape.SequenceEqual(shape)) return tensor;
        throw new CheckpointException(tensor.File, tensor.Name,
            $"is {tensor.Type} {tensor.ShapeText}; expected {Or(types)} [{string.Join(", ", shape)}]");
    }

    /// <summary>Refuses a tensor unless it has one of these types and two dimensions, none of them 0.</summary>
    public static (long Rows, long Columns) ExpectMatrix(TensorInfo tensor, params TensorType[] types)
    {
        if (types.Contains(tensor.Type) && tensor.Shape is [> 0, > 0]) return (tensor.Shape[0], tensor.Shape[1]);
        throw new CheckpointException(tensor.File, tensor.Name,
            $"is {tensor.Type} {tensor.ShapeText}; expected {Or(types)} with two dimensions");
    }

    /// <summary>The weight's kind of scales, for one of <see cref="Floats"/>.</summary>
    public static DType DTypeOf(TensorInfo tensor) => tensor.Type switch
    {
        TensorType.F32 => DType.Float32,
        TensorType.F16 => DType.Float16,
        _ => DType.BFloat16,
    };

    /// <summary>How many weights share a scale, from the number of scales and what the configuration says.</summary>
    /// <param name="scales">Named in errors.</param>
    /// <param name="inFeatures">K.</param>
    /// <param name="groups">Scales of a row.</param>
    /// <param name="config">Where <paramref name="configured"/> is from.</param>
    /// <param name="field">Its name there.</param>
    /// <param name="configured">Weights that share a scale, −1 for a row; null when nothing is said.</param>
    public static long GroupSize(
        TensorInfo scales, long inFeatures, long groups, QuantizationConfig? config, string field, long? configured)
    {
        if (configured is not { } size)
        {
            if (inFeatures % groups == 0) return inFeatures / groups;
            throw new CheckpointException(scales.File, scales.Name,
                $"is {scales.Type} {scales.ShapeText}: {groups} groups in {inFeatures} weights, and no configuration says "
                + "how large they are");
        }
        if (size == -1) size = inFeatures;
        if (size > 0 && (inFeatures - 1) / size + 1 == groups) return size;
        throw new CheckpointException(scales.File, scales.Name,
            $"is {scales.Type} {scales.ShapeText}: {groups} groups in {inFeatures} weights, but {field} is {configured} in "
            + config!.File);
    }

    private static string Or(TensorType[] types) => string.Join(" or ", types);
}
