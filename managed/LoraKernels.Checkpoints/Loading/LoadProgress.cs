namespace LoraKernels.Checkpoints;

/// <summary>How far loading has come; reported after each weight.</summary>
/// <param name="Name">The weight that is loaded now.</param>
/// <param name="Weights">Weights that are loaded.</param>
/// <param name="TotalWeights">Weights to load.</param>
/// <param name="Bytes">Bytes of the checkpoint that are loaded.</param>
/// <param name="TotalBytes">Bytes to load.</param>
public sealed record LoadProgress(string Name, int Weights, int TotalWeights, long Bytes, long TotalBytes);
