namespace LoraKernels.Serving;

/// <summary>What an adapter is on the device, known once it was read.</summary>
/// <param name="Bytes">Device memory.</param>
/// <param name="RankTiles">
/// Tiles of 8 ranks, summed over slices, in its widest module: what a row of it takes of a batch.
/// </param>
/// <param name="IsDora">Whether it rescales the output by DoRA's magnitudes.</param>
/// <param name="ReplacesLayers">Whether it replaces a layer in full.</param>
internal sealed record AdapterShape(long Bytes, long RankTiles, bool IsDora = false, bool ReplacesLayers = false)
{
    /// <summary>Whether the output is rescaled, so that only the weight 1 is defined.</summary>
    public bool Rescales => IsDora || ReplacesLayers;
}
