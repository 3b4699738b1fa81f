namespace LoraKernels;

/// <summary>An adapter in a sum of adapters.</summary>
/// <param name="Adapter">The adapter.</param>
/// <param name="Weight">What its update is multiplied by; finite.</param>
public sealed record WeightedAdapter(LoraAdapter Adapter, float Weight);
