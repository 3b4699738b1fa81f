namespace LoraKernels.Serving;

/// <summary>An adapter on the rows of a sequence.</summary>
/// <param name="Adapter">The adapter; null adds nothing.</param>
/// <param name="Weight">What its update is multiplied by; finite. One with DoRA's magnitudes takes 1 only.</param>
public readonly record struct RowAdapter(PooledAdapter? Adapter, float Weight = 1);
