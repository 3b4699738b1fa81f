using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using LoraKernels.Checkpoints.Writing;

namespace LoraKernels.Checkpoints;

/// <summary>One model on its way through memory.</summary>
internal sealed class QuantizeRun(
    TensorSource source, QuantizePlan plan, QuantizeOptions options, IWeightWriter writer, Device device,
    IProgress<QuantizeProgress>? progress, CancellationToken cancellation)
{
    /// <summary>What is read, copied or compared at a time.</summary>
    private const int PartBytes = 16 << 20;

    private readonly long _totalBytes = source.Tensors.Sum(t => t.Bytes);
    private readonly List<QuantizedModule> _modules = [];
    private long _doneBytes;
    private long _writtenBytes;

    public QuantizedModel Result() => new(_modules, plan.Kept, _totalBytes, _writtenBytes);

    /// <summary>Writes a shard with what becomes of some tensors.</summary>
    public IReadOnlyList<SafetensorsEntry> WriteShard(IReadOnlyList<TensorInfo> tensors, string path)
    {
        List<SafetensorsEntry> planned = [.. tensors.SelectMany(Planned)];
        using var shard = new SafetensorsShard(path, planned);
        foreach (var tensor in tensors)
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new QuantizeProgress(tensor.Name, _doneBytes, _totalBytes));
            if (plan.Modules.TryGetValue(tensor.Name, out string? module)) WriteQuantized(shard, tensor, module);
            else shard.Write(Copy(tensor));
            _doneBytes += tensor.Bytes;
        }
        shard.Complete();
        _writtenBytes += planned.Sum(e => e.Bytes);
        return planned;
    }

    private IReadOnlyList<SafetensorsEntry> Planned(TensorInfo tensor) =>
        plan.Modules.TryGetValue(tensor.Name, out string? module)
            ? writer.Plan(module, tensor.Shape[0], tensor.Shape[1], TypeOf(tensor))
            : [Copy(tensor)];

    private SafetensorsEntry Copy(TensorInfo tensor) => new(tensor.Name, tensor.Type, tensor.Shape, stream =>
    {
        byte[] buffer = new byte[Math.Min(tensor.Bytes, PartBytes)];
        for (long done = 0; done < tensor.Bytes; done += buffer.Length)
        {
            cancellation.ThrowIfCancellationRequested();
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, tensor.Bytes - done));
            source.Read(tensor, done, part);
            stream.Write(part);
        }
    });

    private void WriteQuantized(SafetensorsShard shard, TensorInfo tensor, string module)
    {
        switch (TypeOf(tensor))
        {
            case DType.Float32: WriteQuantized<float>(shard, tensor, module); break;
            case DType.Float16: WriteQuantized<Half>(shard, tensor, module); break;
            default: WriteQuantized<BFloat16>(shard, tensor, module); break;
        }
    }

    private void WriteQuantized<T>(SafetensorsShard shard, TensorInfo tensor, string module)
        where T : unmanaged
    {
        (long rows, long columns) = (tensor.Shape[0], tensor.Shape[1]);
        using var w = device.Allocate<T>(rows, columns);
        ForEachPart<T>(rows, columns, (row, count, part) =>
        {
            source.Read(tensor, row * columns * (tensor.Bytes / (rows * columns)), MemoryMarshal.AsBytes(part.Span));
            using var slice = w.SliceRows(row, count);
            slice.CopyFrom(part.Span);
        });
        using var weight = Quantize(tensor, w);
        var entries = writer.Entries(module, weight.Unpack(), TypeOf(tensor));
        foreach (var entry in entries) shard.Write(entry);
        _modules.Add(new QuantizedModule(
            module, rows, columns, tensor.Bytes, entries.Sum(e => e.Bytes), Compare(w, weight)));
    }

    private QuantizedWeight Quantize<T>(TensorInfo tensor, DeviceTensor<T> w)
        where T : unmanaged
    {
        try
        {
            return QuantizedWeight.Quantize(w, options);
        }
        catch (LoraKernelsException e) when (e.Status == LoraKernelsStatus.InvalidArgument)
        {
            throw new CheckpointException(tensor.File, tensor.Name, $"cannot be quantized: {e.Message}", e);
        }
    }

    private QuantizationError Compare<T>(DeviceTensor<T> w, QuantizedWeight weight)
        where T : unmanaged
    {
        var meter = new ErrorMeter(w.Columns, options.GroupSize);
        using var decoded = device.Allocate<float>(w.Rows, w.Columns);
        weight.Dequantize(decoded);
        var values = new float[PartRows<T>(w.Rows, w.Columns) * w.Columns];
        ForEachPart<T>(w.Rows, w.Columns, (row, count, part) =>
        {
            using var before = w.SliceRows(row, count);
            using var after = decoded.SliceRows(row, count);
            before.CopyTo(part.Span);
            after.CopyTo(values.AsSpan(0, part.Length));
            float[] weights = HostMatrix.From<T>(part.Span, count, w.Columns).ToSingles();
            meter.Add(row * w.Columns, weights, values.AsMemory(0, part.Length));
        });
        return meter.Result();
    }

    private void ForEachPart<T>(long rows, long columns, Action<long, long, Memory<T>> visit)
        where T : unmanaged
    {
        long most = PartRows<T>(rows, columns);
        T[] buffer = new T[most * columns];
        for (long row = 0; row < rows; row += most)
        {
            cancellation.ThrowIfCancellationRequested();
            long count = Math.Min(most, rows - row);
            visit(row, count, buffer.AsMemory(0, checked((int)(count * columns))));
        }
    }

    private static long PartRows<T>(long rows, long columns)
        where T : unmanaged => Math.Clamp(PartBytes / Unsafe.SizeOf<T>() / columns, 1, rows);

    private static DType TypeOf(TensorInfo tensor) => LayerTensors.DTypeOf(tensor);
}
