using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>One of an adapter's updates, or the part of it that a slice of a fused layer has.</summary>
/// <param name="Factors">The update.</param>
/// <param name="Part">What it changes.</param>
/// <param name="FirstRow">Of B, and of the vectors, where the part begins.</param>
internal readonly record struct FittedUpdate(LoraFactors Factors, ModulePart Part, long FirstRow)
{
    /// <summary>Whether it multiplies the output's columns by something.</summary>
    public bool HasColumnScale => Factors.ReplacesBase || Factors.Magnitude is not null;

    /// <summary>The update as the native table measures it: without its numbers.</summary>
    public unsafe lk_lora_factors Describe()
    {
        var vector = new lk_matrix { rows = 1, columns = Part.OutFeatures, row_stride = Part.OutFeatures };
        return new lk_lora_factors
        {
            struct_size = (uint)sizeof(lk_lora_factors),
            module = Part.Module,
            slice = Part.Slice,
            scale = Factors.Scale,
            a = Shape(Factors.A.Rows, Factors.A.Columns, Factors.A.DType),
            b = Shape(Part.OutFeatures, Factors.B.Columns, Factors.B.DType),
            bias = Factors.Bias is null ? default : vector,
            column_scale = HasColumnScale ? vector : default,
        };

        static lk_matrix Shape(long rows, long columns, DType dtype) =>
            new() { rows = rows, columns = columns, row_stride = columns, dtype = (lk_dtype)dtype };
    }

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
