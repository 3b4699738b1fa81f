using LoraKernels.Checkpoints;

namespace LoraKernels.Serving;

/// <summary>A PEFT folder, or a GGUF adapter's file.</summary>
internal sealed record PathSource(string Path, GgufModuleMap? Map) : IAdapterSource
{
    public ValueTask<LoraAdapter> ReadAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!File.Exists(Path))
            return new(PeftAdapter.Read(Path));
        LoraAdapter adapter = GgufAdapter.Read(Path);
        return new(Map is null ? adapter : Map.ToOriginal(adapter));
    }
}
