using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>One of an adapter's updates, or the part of it that a slice of a fused layer has.</summary>
/// <param name="Factors">The update.</param>
/// <param name="Part">What it changes.</param>
/// <param name="FirstRow">Of B, and of the vectors, where the part begins.</param>
internal readonly record struct FittedUpdate(LoraFactors Factors, ModulePart Part, long FirstRow)
{
    /// <summary>The update as the native table takes it.</summary>
    /// <param name="pinned">Keeps the memory in place.</param>
    /// <param name="columnScale">What it multiplies the output's columns by; null: nothing.</param>
    public unsafe lk_lora_factors Pin(PinnedMemory pinned, HostMatrix? columnScale) => new()
    {
        struct_size = (uint)sizeof(lk_lora_factors),
        module = Part.Module,
        slice = Part.Slice,
        scale = Factors.Scale,
        a = pinned.PinMatrix(Factors.A),
        b = pinned.PinMatrix(Factors.B.RowRange(FirstRow, Part.OutFeatures)),
        bias = Factors.Bias is null ? default : pinned.PinMatrix(Factors.Bias.ColumnRange(FirstRow, Part.OutFeatures)),
        column_scale = columnScale is null ? default : pinned.PinMatrix(columnScale),
    };
}
