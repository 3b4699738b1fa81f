namespace LoraKernels.Checkpoints;

/// <summary>A quantized linear layer's weight in a checkpoint.</summary>
/// <param name="Name">
/// The layer's name, without <c>.weight</c>: <c>model.layers.0.self_attn.q_proj</c>, in GGUF <c>blk.0.attn_q</c>, in ONNX
/// the module that the node was exported from. Of a
/// tensor that stacks the weights of experts, expert 3's has <c>.3</c> behind it.
/// </param>
/// <param name="Format">How it is quantized.</param>
/// <param name="OutFeatures">N, rows of W.</param>
/// <param name="InFeatures">K, columns of W.</param>
/// <param name="GroupSize">Weights that share a scale.</param>
/// <param name="Nested">Whether the scales are themselves quantized (double quantization).</param>
/// <param name="Bytes">Size of codes, scales and tables in the file.</param>
public sealed record WeightInfo(
    string Name, WeightFormat Format, long OutFeatures, long InFeatures, long GroupSize, bool Nested, long Bytes);
