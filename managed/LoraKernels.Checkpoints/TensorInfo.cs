namespace LoraKernels.Checkpoints;

/// <summary>One tensor of a checkpoint: what it is and where its bytes lie. Checked against the file's real length.</summary>
/// <param name="Name">Its name in the file.</param>
/// <param name="Type">How its elements are stored.</param>
/// <param name="Shape">
/// Dimensions, slowest first, so that a weight is <c>[out_features, in_features]</c> in every format (GGUF files write
/// them the other way round). Empty for a scalar.
/// </param>
/// <param name="File">The file that holds it, as a full path.</param>
/// <param name="Offset">Where its data begins, in bytes from the start of the file.</param>
/// <param name="Bytes">Size of its data.</param>
public sealed record TensorInfo(
    string Name, TensorType Type, IReadOnlyList<long> Shape, string File, long Offset, long Bytes)
{
    /// <summary>The shape as people write it: <c>[4096, 14336]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
