namespace LoraKernels.Checkpoints;

/// <summary>Several layers' weights as one, and where each one's outputs are.</summary>
/// <param name="Weight">All rows, those of the first layer first.</param>
/// <param name="Module">
/// The fused layer as a <see cref="LoraTable"/> takes it: its slices have the layers' names, by which adapters know them.
/// </param>
public sealed record FusedWeight(QuantizedWeight Weight, LoraModule Module) : IDisposable
{
    /// <summary>Frees the weight once no running call uses it.</summary>
    public void Dispose() => Weight.Dispose();
}
