using LoraKernels.Checkpoints;

namespace LoraKernels.Serving;

/// <summary>The kinds of sources that there are.</summary>
public static class AdapterSource
{
    /// <summary>A PEFT folder, or a GGUF adapter's file.</summary>
    /// <param name="path">The folder or file.</param>
    /// <param name="map">
    /// Of a GGUF adapter for layers by the names of the original model; null where they have GGUF's names.
    /// </param>
    public static IAdapterSource FromPath(string path, GgufModuleMap? map = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return new PathSource(Path.GetFullPath(path), map);
    }

    /// <summary>
    /// An adapter in host memory. It stays there as long as the pool knows it, beyond the pool's host budget.
    /// </summary>
    public static IAdapterSource FromMemory(LoraAdapter adapter)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        return new MemorySource(adapter);
    }

    /// <summary>The two files of a PEFT adapter as streams, opened anew for every read.</summary>
    /// <param name="name">The adapter's name in messages.</param>
    /// <param name="openConfig">Opens <c>adapter_config.json</c>; the stream is disposed.</param>
    /// <param name="openWeights">Opens <c>adapter_model.safetensors</c>; the stream is disposed.</param>
    public static IAdapterSource FromStreams(
        string name,
        Func<CancellationToken, ValueTask<Stream>> openConfig,
        Func<CancellationToken, ValueTask<Stream>> openWeights)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(openConfig);
        ArgumentNullException.ThrowIfNull(openWeights);
        return new StreamSource(name, openConfig, openWeights);
    }
}
