namespace LoraKernels;

/// <summary>A layer that an adapter was trained with in full, and that replaces the base model's own.</summary>
/// <remarks>
/// PEFT's <c>modules_to_save</c>, and the embeddings that it saves where the vocabulary grew. A classifier's head is a small
/// linear, which a <see cref="LoraTable"/> can apply; an embedding or <c>lm_head</c> is the engine's to replace.
/// </remarks>
public sealed class SavedModule
{
    /// <summary>Describes a layer.</summary>
    /// <param name="name">The layer, such as "score" or "lm_head".</param>
    /// <param name="weight">[out features, in features]; of an embedding [vocabulary, features]; of a norm [1, features].</param>
    /// <param name="bias">[1, out features], or null.</param>
    /// <exception cref="ArgumentException">An empty name.</exception>
    public SavedModule(string name, HostMatrix weight, HostMatrix? bias = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(weight);
        Name = name;
        Weight = weight;
        Bias = bias;
    }

    /// <summary>The layer.</summary>
    public string Name { get; }

    /// <summary>[out features, in features]; of an embedding [vocabulary, features]; of a norm [1, features].</summary>
    public HostMatrix Weight { get; }

    /// <summary>[1, out features], or null.</summary>
    public HostMatrix? Bias { get; }

    /// <summary>Host memory of weight and bias, in bytes.</summary>
    public long Bytes => (long)Weight.Data.Length + (Bias?.Data.Length ?? 0);
}
