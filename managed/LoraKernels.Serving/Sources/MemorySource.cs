namespace LoraKernels.Serving;

/// <summary>An adapter that is in host memory already.</summary>
internal sealed record MemorySource(LoraAdapter Adapter) : IAdapterSource
{
    public ValueTask<LoraAdapter> ReadAsync(CancellationToken cancellationToken) => new(Adapter);
}
