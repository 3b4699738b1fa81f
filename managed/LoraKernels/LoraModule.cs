using System.Collections.ObjectModel;

namespace LoraKernels;

/// <summary>A part of a fused layer's output columns, by the name that adapters know it by.</summary>
/// <param name="Name">Such as "model.layers.0.self_attn.q_proj".</param>
/// <param name="Offset">Its first column in the layer's output.</param>
/// <param name="Size">How many columns.</param>
public sealed record OutputSlice(string Name, long Offset, long Size);

/// <summary>
/// A linear layer that adapters may change. A plain layer is known by its name; a fused one (QKV, gate/up) by its own
/// name to <see cref="Linear"/>, and to adapters by the names of its slices.
/// </summary>
public sealed class LoraModule
{
    /// <summary>Describes a layer.</summary>
    /// <param name="name">Such as "model.layers.0.self_attn.o_proj"; not empty.</param>
    /// <param name="inFeatures">K, 0 or more.</param>
    /// <param name="outFeatures">N, 0 or more.</param>
    /// <param name="slices">Of a fused layer: ascending, not overlapping, inside [0, N). Of a plain one: none.</param>
    /// <exception cref="ArgumentException">An empty name, or slices that are not as described.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative size.</exception>
    public LoraModule(string name, long inFeatures, long outFeatures, params OutputSlice[] slices)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentOutOfRangeException.ThrowIfNegative(inFeatures);
        ArgumentOutOfRangeException.ThrowIfNegative(outFeatures);
        ArgumentNullException.ThrowIfNull(slices);
        long end = 0;
        foreach (OutputSlice slice in slices)
        {
            ArgumentNullException.ThrowIfNull(slice, nameof(slices));
            ArgumentException.ThrowIfNullOrEmpty(slice.Name, nameof(slices));
            if (slice.Offset < end || slice.Size < 0 || slice.Size > outFeatures - slice.Offset)
            {
                throw new ArgumentException(
                    $"slice '{slice.Name}' of module '{name}' is [{slice.Offset}, {slice.Offset} + {slice.Size}); "
                    + $"it must be inside [{end}, {outFeatures}), after the slice before it",
                    nameof(slices));
            }
            end = slice.Offset + slice.Size;
        }
        Name = name;
        InFeatures = inFeatures;
        OutFeatures = outFeatures;
        Slices = new ReadOnlyCollection<OutputSlice>([.. slices]);
    }

    /// <summary>The layer's name.</summary>
    public string Name { get; }

    /// <summary>K.</summary>
    public long InFeatures { get; }

    /// <summary>N.</summary>
    public long OutFeatures { get; }

    /// <summary>The parts of a fused layer; empty for a plain one.</summary>
    public IReadOnlyList<OutputSlice> Slices { get; }
}
