using LoraKernels.Interop;

namespace LoraKernels;

/// <summary>A layer that an adapter was trained with in full, and that replaces the base model's own.</summary>
/// <remarks>
/// PEFT's <c>modules_to_save</c>, and the embeddings that it saves where the vocabulary grew. A classifier's head is a small
/// linear, which a <see cref="LoraTable"/> can apply; an embedding or <c>lm_head</c> is the engine's to replace.
/// </remarks>
public sealed class SavedModule
{
    /// <summary>
    /// Columns become (base + update · 2⁴⁰) · 2⁻⁴⁰: what is left of the base, a trillionth, is far below fp32's precision.
    /// </summary>
    internal const float ReplacingScale = 1L << 40;

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

    /// <summary>
    /// The layer as an update that replaces the base's product: x · Wᵀ is (x · Wᵀ) · 1ᵀ and (x · 1ᵀ) · Wᵀ, of a rank that is
    /// the smaller side. Null where that is more than a rank may be, or where a bias would replace the layer's own.
    /// </summary>
    internal LoraFactors? Replacement()
    {
        bool few = Weight.Rows <= Weight.Columns;
        long rank = few ? Weight.Rows : Weight.Columns;
        if (rank is 0 or > NativeMethods.LK_LORA_MAX_RANK || Bias is not null)
            return null;
        return new LoraFactors(Name, few ? Weight : Identity(rank), few ? Identity(rank) : Weight, ReplacingScale)
        {
            ReplacesBase = true,
        };
    }

    // Of the weight's type, in which kernels multiply fastest.
    private HostMatrix Identity(long size)
    {
        byte[] data = new byte[size * size * Weight.DType.Size()];
        byte[] one = Weight.DType switch
        {
            DType.Float32 => BitConverter.GetBytes(1f),
            DType.Float16 => BitConverter.GetBytes((Half)1),
            _ => BitConverter.GetBytes((ushort)0x3f80),
        };
        for (long i = 0; i < size; i++)
            one.CopyTo(data, i * (size + 1) * one.Length);
        return new HostMatrix(data, size, size, Weight.DType);
    }

    /// <summary>Host memory of weight and bias, in bytes.</summary>
    public long Bytes => (long)Weight.Data.Length + (Bias?.Data.Length ?? 0);
}
