using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace LoraKernels.Checkpoints;

/// <summary>Weights on a device by their names, which are freed together.</summary>
public sealed class WeightCollection : IReadOnlyDictionary<string, QuantizedWeight>, IDisposable
{
    private readonly Dictionary<string, QuantizedWeight> _weights;

    internal WeightCollection(Dictionary<string, QuantizedWeight> weights) => _weights = weights;

    /// <summary>Device memory of all of them, in bytes.</summary>
    public long PackedBytes => _weights.Values.Sum(w => w.PackedBytes);

    /// <inheritdoc/>
    public int Count => _weights.Count;

    /// <inheritdoc/>
    public IEnumerable<string> Keys => _weights.Keys;

    /// <inheritdoc/>
    public IEnumerable<QuantizedWeight> Values => _weights.Values;

    /// <inheritdoc/>
    public QuantizedWeight this[string key] => _weights[key];

    /// <inheritdoc/>
    public bool ContainsKey(string key) => _weights.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out QuantizedWeight value) =>
        _weights.TryGetValue(key, out value);

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, QuantizedWeight>> GetEnumerator() => _weights.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Frees all weights once no running call uses them.</summary>
    public void Dispose()
    {
        foreach (var weight in _weights.Values) weight.Dispose();
    }
}
