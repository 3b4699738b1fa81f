namespace LoraKernels;

/// <summary>An adapter in a <see cref="LoraTable"/>. Disposing it removes it; so does disposing the table.</summary>
public sealed class LoadedAdapter : IDisposable
{
    private int _removed;

    internal LoadedAdapter(LoraTable table, string name, long id, long bytes)
    {
        Table = table;
        Name = name;
        Id = id;
        Bytes = bytes;
    }

    /// <summary>The adapter's name.</summary>
    public string Name { get; }

    /// <summary>
    /// Its number in its table, above 0 and never used again there. Another table has its own numbers.
    /// </summary>
    public long Id { get; }

    /// <summary>
    /// What it takes of the table's memory, in bytes: what <see cref="LoraTable.Measure(LoraAdapter)"/> says.
    /// </summary>
    public long Bytes { get; }

    /// <summary>The table that it is in.</summary>
    public LoraTable Table { get; }

    /// <summary>Whether it was removed from its table.</summary>
    public bool IsRemoved => Volatile.Read(ref _removed) != 0;

    /// <summary>
    /// Removes the adapter from its table. Batches that hold it keep it, and its memory, until they are set anew.
    /// </summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _removed, 1) == 0)
            Table.Remove(Id);
    }

    /// <summary>Name and number.</summary>
    public override string ToString() => $"{Name} (adapter {Id})";
}
