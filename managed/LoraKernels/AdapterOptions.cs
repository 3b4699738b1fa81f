namespace LoraKernels;

/// <summary>What <see cref="LoraTable.Add(LoraAdapter, AdapterOptions, DeviceStream?)"/> may have to know.</summary>
public sealed record AdapterOptions
{
    /// <summary>No options.</summary>
    public static AdapterOptions None { get; } = new();

    /// <summary>
    /// The base model's weight of a layer, by the layer's name in the table; or null. Asked for where the adapter has
    /// DoRA's magnitudes, whose norms are those of the weight with its update.
    /// </summary>
    public Func<string, QuantizedWeight?>? BaseWeight { get; init; }

    /// <summary>
    /// Modules of the adapter that the engine applies itself, such as <c>lm_head</c> or <c>model.embed_tokens</c>: the table
    /// passes over them. Any other module that it does not have is refused.
    /// </summary>
    public IReadOnlyCollection<string> AppliedElsewhere { get; init; } = [];
}
