using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace LoraKernels;

/// <summary>A dense row-major matrix in host memory, as bytes in this machine's order.</summary>
public sealed class HostMatrix
{
    /// <summary>Describes existing bytes; they are not copied and must not change.</summary>
    /// <param name="data"><paramref name="rows"/> × <paramref name="columns"/> elements, at any alignment.</param>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <param name="dtype">The element type.</param>
    /// <exception cref="ArgumentException">Another number of bytes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative or too large size, or an unknown type.</exception>
    public HostMatrix(ReadOnlyMemory<byte> data, long rows, long columns, DType dtype)
    {
        long bytes = DeviceTensor.CountBytes(rows, columns, dtype.Size());
        if (data.Length != bytes)
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"data has {data.Length} bytes; a {dtype} matrix [{rows}, {columns}] has {bytes}"),
                nameof(data));
        }
        Data = data;
        Rows = rows;
        Columns = columns;
        DType = dtype;
    }

    /// <summary>The elements' bytes, row by row.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>Rows.</summary>
    public long Rows { get; }

    /// <summary>Columns.</summary>
    public long Columns { get; }

    /// <summary>The element type.</summary>
    public DType DType { get; }

    /// <summary>Copies elements.</summary>
    /// <typeparam name="T"><see cref="float"/>, <see cref="Half"/> or <see cref="BFloat16"/>.</typeparam>
    /// <param name="values">The elements, row by row.</param>
    /// <param name="rows">Rows, 0 or more.</param>
    /// <param name="columns">Columns, 0 or more.</param>
    /// <exception cref="ArgumentException">Another number of values.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A negative or too large size.</exception>
    /// <exception cref="NotSupportedException"><typeparamref name="T"/> is another type.</exception>
    public static HostMatrix From<T>(ReadOnlySpan<T> values, long rows, long columns)
        where T : unmanaged
    {
        DType dtype = DTypes.Of<T>();
        DeviceTensor.CountBytes(rows, columns, dtype.Size());
        DeviceTensor.RequireCount(values.Length, rows, columns, nameof(values));
        return new HostMatrix(MemoryMarshal.AsBytes(values).ToArray(), rows, columns, dtype);
    }

    /// <inheritdoc cref="From{T}(ReadOnlySpan{T}, long, long)"/>
    public static HostMatrix From<T>(T[] values, long rows, long columns)
        where T : unmanaged
    {
        ArgumentNullException.ThrowIfNull(values);
        return From<T>(values.AsSpan(), rows, columns);
    }

    /// <summary>The elements as fp32, row by row; exact.</summary>
    public float[] ToSingles()
    {
        var values = new float[checked(Rows * Columns)];
        switch (DType)
        {
            case DType.Float32:
                Data.Span.CopyTo(MemoryMarshal.AsBytes(values.AsSpan()));
                break;
            case DType.Float16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(Data.Span), values);
                break;
            default:
                ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(Data.Span);
                for (int i = 0; i < values.Length; i++)
                    values[i] = BitConverter.UInt32BitsToSingle((uint)bits[i] << 16);
                break;
        }
        return values;
    }

    /// <summary>Rounds fp32 elements to a type.</summary>
    internal static HostMatrix FromSingles(ReadOnlySpan<float> values, long rows, long columns, DType dtype)
    {
        switch (dtype)
        {
            case DType.Float32:
                return From(values, rows, columns);
            case DType.Float16:
                var halves = new Half[values.Length];
                TensorPrimitives.ConvertToHalf(values, halves);
                return From(halves, rows, columns);
            default:
                var rounded = new BFloat16[values.Length];
                for (int i = 0; i < rounded.Length; i++)
                    rounded[i] = (BFloat16)values[i];
                return From(rounded, rows, columns);
        }
    }

    /// <summary>Rows [first, first + count), sharing the memory.</summary>
    internal HostMatrix RowRange(long first, long count)
    {
        long bytes = Columns * DType.Size();
        return first == 0 && count == Rows
            ? this
            : new HostMatrix(Data.Slice((int)(first * bytes), (int)(count * bytes)), count, Columns, DType);
    }

    /// <summary>Columns [first, first + count) of one row, sharing the memory.</summary>
    internal HostMatrix ColumnRange(long first, long count) => first == 0 && count == Columns
        ? this
        : new HostMatrix(Data.Slice((int)(first * DType.Size()), (int)(count * DType.Size())), 1, count, DType);
}
