namespace LoraKernels.Serving;

/// <summary>An adapter can no longer be used: it was unloaded or replaced, or could never be loaded.</summary>
public sealed class AdapterUnavailableException : Exception
{
    /// <summary>Makes an exception for a version.</summary>
    /// <param name="adapter">The version.</param>
    /// <param name="reason">What became of it.</param>
    /// <param name="innerException">Why it could not be loaded, if that is what it is.</param>
    public AdapterUnavailableException(PooledAdapter adapter, string reason, Exception? innerException = null)
        : base($"adapter '{Require(adapter).Name}' (version {adapter.Id}) {reason}", innerException) => Adapter = adapter;

    /// <summary>The version.</summary>
    public PooledAdapter Adapter { get; }

    private static PooledAdapter Require(PooledAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        return adapter;
    }
}
