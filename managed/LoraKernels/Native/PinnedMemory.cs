using System.Buffers;
using LoraKernels.Interop;

namespace LoraKernels.Native;

/// <summary>
/// Keeps host memory where it is while a native call reads or writes it. Memory that does not lie at a multiple of its
/// element size, as tensors inside a file's bytes may, is copied to where it does.
/// </summary>
internal sealed unsafe class PinnedMemory : IDisposable
{
    private readonly List<MemoryHandle> _pins = [];

    /// <summary>The address of some memory, for reading; null where it is empty.</summary>
    public void* Pin(ReadOnlyMemory<byte> memory, int alignment)
    {
        if (memory.IsEmpty)
            return null;
        MemoryHandle pin = memory.Pin();
        _pins.Add(pin);
        if ((nuint)pin.Pointer % (nuint)alignment == 0)
            return pin.Pointer;
        // Arrays start at a multiple of 8.
        pin = new ReadOnlyMemory<byte>(memory.ToArray()).Pin();
        _pins.Add(pin);
        return pin.Pointer;
    }

    public lk_bytes PinBytes(ReadOnlyMemory<byte> memory, int alignment) =>
        new() { data = Pin(memory, alignment), size = memory.Length };

    public lk_weight_tensors PinWeight(WeightTensors tensors) => new()
    {
        struct_size = (uint)sizeof(lk_weight_tensors),
        format = (lk_format)tensors.Format,
        out_features = tensors.OutFeatures,
        in_features = tensors.InFeatures,
        group_size = tensors.GroupSize,
        outer_group_size = tensors.OuterGroupSize,
        codes = PinBytes(tensors.Codes, 1),
        scales = PinBytes(tensors.Scales, sizeof(float)),
        zero_points = PinBytes(tensors.ZeroPoints, sizeof(int)),
        group_index = PinBytes(tensors.GroupIndex, sizeof(int)),
        table = PinBytes(tensors.Table, sizeof(float)),
        outer_table = PinBytes(tensors.OuterTable, sizeof(float)),
        outer_scales = PinBytes(tensors.OuterScales, sizeof(float)),
        outer_offset = tensors.OuterOffset,
        tensor_scale = tensors.TensorScale,
        tensor_scale_divides = tensors.TensorScaleDivides ? 1u : 0,
        scale_dtype = (lk_dtype)tensors.ScaleDType,
    };

    public lk_matrix PinMatrix(HostMatrix matrix) => new()
    {
        data = Pin(matrix.Data, matrix.DType.Size()),
        rows = matrix.Rows,
        columns = matrix.Columns,
        row_stride = matrix.Columns,
        dtype = (lk_dtype)matrix.DType,
    };

    public void Dispose()
    {
        foreach (MemoryHandle pin in _pins)
            pin.Dispose();
        _pins.Clear();
    }
}
