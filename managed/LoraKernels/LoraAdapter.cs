using System.Collections.ObjectModel;

namespace LoraKernels;

/// <summary>A LoRA adapter in host memory; <see cref="LoraTable.Add(LoraAdapter, DeviceStream?)"/> brings it to a device.</summary>
public sealed class LoraAdapter
{
    /// <summary>Gathers an adapter's updates.</summary>
    /// <param name="name">What messages call it.</param>
    /// <param name="factors">Its updates; none is an adapter that changes nothing.</param>
    /// <param name="baseModel">
    /// The model it was trained on, such as "mistralai/Mistral-7B-v0.1"; null if unknown.
    /// </param>
    /// <param name="savedModules">Layers that it replaces in full; null: none.</param>
    /// <exception cref="ArgumentException">An empty name, or null among the factors or modules.</exception>
    public LoraAdapter(
        string name, IEnumerable<LoraFactors> factors, string? baseModel = null,
        IEnumerable<SavedModule>? savedModules = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(factors);
        LoraFactors[] list = [.. factors];
        if (list.Contains(null!))
            throw new ArgumentException("factors contains null", nameof(factors));
        SavedModule[] saved = [.. savedModules ?? []];
        if (saved.Contains(null!))
            throw new ArgumentException("savedModules contains null", nameof(savedModules));
        Name = name;
        Factors = new ReadOnlyCollection<LoraFactors>(list);
        BaseModel = baseModel;
        SavedModules = new ReadOnlyCollection<SavedModule>(saved);
        Bytes = list.Sum(factor => factor.Bytes) + saved.Sum(module => module.Bytes);
    }

    /// <summary>What messages call it.</summary>
    public string Name { get; }

    /// <summary>Its updates.</summary>
    public IReadOnlyList<LoraFactors> Factors { get; }

    /// <summary>Layers that it replaces in full.</summary>
    public IReadOnlyList<SavedModule> SavedModules { get; }

    /// <summary>The model it was trained on, or null if unknown.</summary>
    public string? BaseModel { get; }

    /// <summary>Host memory of all factors and saved modules, in bytes.</summary>
    public long Bytes { get; }
}
