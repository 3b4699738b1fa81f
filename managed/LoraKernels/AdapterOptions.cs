namespace LoraKernels;

/// <summary>What <see cref="LoraTable.Add(LoraAdapter, AdapterOptions, DeviceStream?)"/> may have to know.</summary>
public sealed record AdapterOptions
{
    /// <summary>No options.</summary>
    public static AdapterOptions None { get; } = new();

    /// <summary>
    /// Modules of the adapter that the engine applies itself, such as <c>lm_head</c> or <c>model.embed_tokens</c>: the table
    /// passes over them. Any other module that it does not have is refused.
    /// </summary>
    public IReadOnlyCollection<string> AppliedElsewhere { get; init; } = [];
}
