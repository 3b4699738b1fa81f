namespace LoraKernels;

/// <summary>What a <see cref="LoraBatch"/> can hold.</summary>
/// <param name="MaxRows">Rows.</param>
/// <param name="MaxEntries">Pairs of a row and an adapter on it.</param>
/// <param name="MaxSegments">Distinct adapters.</param>
/// <param name="MaxRankTiles">
/// The sum over entries of ⌈rank / 8⌉, summed over slices, in the adapter's widest module.
/// </param>
public sealed record LoraBatchCapacity(long MaxRows, long MaxEntries, long MaxSegments, long MaxRankTiles)
{
    private const long RankTile = 8;

    /// <summary>Enough for any mix of adapters.</summary>
    /// <param name="rows">The most rows.</param>
    /// <param name="maxRank">The highest rank of any adapter, 1 … 512.</param>
    /// <param name="adaptersPerRow">The most adapters on one row.</param>
    /// <param name="slicesPerModule">The most slices of a fused module; 1 without such modules.</param>
    /// <exception cref="ArgumentOutOfRangeException">Negative rows, or any other below 1.</exception>
    /// <exception cref="OverflowException">The product of the four is above 2⁶³.</exception>
    public static LoraBatchCapacity ForRows(
        long rows, long maxRank, long adaptersPerRow = 1, long slicesPerModule = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maxRank);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(adaptersPerRow);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(slicesPerModule);
        long entries = checked(rows * adaptersPerRow);
        long tiles = checked(entries * slicesPerModule * ((maxRank + RankTile - 1) / RankTile));
        return new LoraBatchCapacity(rows, entries, entries, tiles);
    }
}
