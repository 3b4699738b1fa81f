using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Reads a GGUF header front to back. Nothing is allocated for a count or length before the file has shown to be long
/// enough to hold it.
/// </summary>
internal sealed class GgufReader
{
    /// <summary>Arrays of arrays; llama.cpp writes none, the format allows any depth.</summary>
    private const int MaxArrayDepth = 4;

    /// <summary>Keys and tensor names; the format allows 65535 and 64 bytes.</summary>
    private const int MaxNameBytes = 65535;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly CheckpointFile _file;
    private readonly byte[] _buffer;
    private int _bufferStart;
    private int _bufferEnd;

    public GgufReader(CheckpointFile file)
    {
        _file = file;
        _buffer = new byte[(int)Math.Min(file.Length, 1 << 16)];
    }

    /// <summary>Bytes from the start of the file.</summary>
    public long Position { get; private set; }

    /// <summary>Bytes left in the file.</summary>
    public long Remaining => _file.Length - Position;

    /// <summary>What is being read, for messages: a key or tensor, or null.</summary>
    public string? Subject { get; set; }

    public uint UInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong UInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A count of things that take at least so many bytes each: never more than the file can hold.</summary>
    public long Count(string what, int leastBytes)
    {
        ulong count = UInt64(what);
        long most = Remaining / leastBytes;
        if (count > (ulong)most)
        {
            throw Error($"{what} is {count}, but the {Remaining} bytes left in the file hold at most {most} of at least "
                + $"{leastBytes} bytes");
        }
        return (long)count;
    }

    /// <summary>A key or tensor name: not empty, valid UTF-8, at most 65535 bytes.</summary>
    public string Name(string what)
    {
        int length = Length(what, MaxNameBytes);
        if (length == 0) throw Error($"{what} is empty");
        try
        {
            return StrictUtf8.GetString(Bytes(length, what));
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException(_file.Path, Subject, $"{what} at byte {Position - length} is not valid UTF-8", e);
        }
    }

    public GgufValue Value() => Value((GgufValueType)UInt32("the value type"), 0);

    private GgufValue Value(GgufValueType type, int depth)
    {
        if (type == GgufValueType.Array) return Array(depth);
        object value = type switch
        {
            GgufValueType.UInt8 => Take(1, "the value")[0],
            GgufValueType.Int8 => (sbyte)Take(1, "the value")[0],
            GgufValueType.UInt16 => BinaryPrimitives.ReadUInt16LittleEndian(Take(2, "the value")),
            GgufValueType.Int16 => BinaryPrimitives.ReadInt16LittleEndian(Take(2, "the value")),
            GgufValueType.UInt32 => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, "the value")),
            GgufValueType.Int32 => BinaryPrimitives.ReadInt32LittleEndian(Take(4, "the value")),
            GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(Take(4, "the value")),
            GgufValueType.Bool => Bool(Take(1, "the value")[0]),
            GgufValueType.Text => Text(),
            GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, "the value")),
            GgufValueType.Int64 => BinaryPrimitives.ReadInt64LittleEndian(Take(8, "the value")),
            GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(Take(8, "the value")),
            _ => throw Error($"has the unknown value type {(uint)type}; known are 0 to 12"),
        };
        return new GgufValue(type, null, value);
    }

    private GgufValue Array(int depth)
    {
        if (depth == MaxArrayDepth) throw Error($"has arrays nested deeper than {MaxArrayDepth}");
        var type = (GgufValueType)UInt32("the element type");
        object values = type switch
        {
            GgufValueType.UInt8 => Numbers<byte>(),
            GgufValueType.Int8 => Numbers<sbyte>(),
            GgufValueType.UInt16 => Numbers<ushort>(),
            GgufValueType.Int16 => Numbers<short>(),
            GgufValueType.UInt32 => Numbers<uint>(),
            GgufValueType.Int32 => Numbers<int>(),
            GgufValueType.Float32 => Numbers<float>(),
            GgufValueType.Bool => System.Array.ConvertAll(Numbers<byte>(), Bool),
            // A string is at least its length, an array its type and length.
            GgufValueType.Text => Elements(8, Text),
            GgufValueType.Array => Elements(12, () => Array(depth + 1)),
            GgufValueType.UInt64 => Numbers<ulong>(),
            GgufValueType.Int64 => Numbers<long>(),
            GgufValueType.Float64 => Numbers<double>(),
            _ => throw Error($"has the unknown element type {(uint)type}; known are 0 to 12"),
        };
        return new GgufValue(GgufValueType.Array, type, values);
    }

    private T[] Elements<T>(int leastBytes, Func<T> read)
    {
        var values = new T[Fit(Count("the array's length", leastBytes))];
        for (int i = 0; i < values.Length; i++) values[i] = read();
        return values;
    }

    /// <summary>An array of numbers, in the file's byte order on any machine.</summary>
    private T[] Numbers<T>() where T : unmanaged
    {
        int size = Unsafe.SizeOf<T>();
        var values = new T[Fit(Count("the array's length", size))];
        var bytes = MemoryMarshal.AsBytes(values.AsSpan());
        ReadInto(bytes);
        if (!BitConverter.IsLittleEndian)
        {
            for (int i = 0; i < bytes.Length; i += size) bytes.Slice(i, size).Reverse();
        }
        return values;
    }

    private int Fit(long count) => count <= System.Array.MaxLength ? (int)count
        : throw Error($"has an array of {count} elements; at most {System.Array.MaxLength} can be held");

    private bool Bool(byte value) => value <= 1 ? value == 1
        : throw Error($"has the boolean {value} at byte {Position - 1}; allowed are 0 and 1");

    /// <summary>A value's string. Real vocabularies hold bytes that are no characters, which become U+FFFD.</summary>
    private string Text() => Encoding.UTF8.GetString(Bytes(Length("the string's length", int.MaxValue / 2), "the string"));

    private int Length(string what, int most)
    {
        ulong length = UInt64(what);
        if (length > (ulong)Remaining || length > (ulong)most)
        {
            throw Error($"{what} is {length} bytes, but {Remaining} are left in the file, and at most {most} are allowed");
        }
        return (int)length;
    }

    private ReadOnlySpan<byte> Bytes(int count, string what)
    {
        if (count <= _buffer.Length) return Take(count, what);
        byte[] bytes = new byte[count];
        ReadInto(bytes);
        return bytes;
    }

    /// <summary>The next few bytes, at most the buffer's size; valid until the next call.</summary>
    private ReadOnlySpan<byte> Take(int count, string what)
    {
        if (count > Remaining)
            throw Error($"the file ends at byte {_file.Length}, in the middle of {what} at byte {Position}");
        if (count > _bufferEnd - _bufferStart)
        {
            int fill = (int)Math.Min(_buffer.Length, Remaining);
            _file.Read(Position, _buffer.AsSpan(0, fill), Subject);
            (_bufferStart, _bufferEnd) = (0, fill);
        }
        var bytes = _buffer.AsSpan(_bufferStart, count);
        _bufferStart += count;
        Position += count;
        return bytes;
    }

    private void ReadInto(Span<byte> destination)
    {
        _file.Read(Position, destination, Subject);
        Position += destination.Length;
        _bufferStart = _bufferEnd = 0;
    }

    public CheckpointException Error(string reason) => new(_file.Path, Subject, reason);
}
