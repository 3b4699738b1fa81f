using System.Globalization;
using System.Text;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>How a field of a protobuf message is written.</summary>
internal enum ProtobufWire
{
    Varint = 0,
    Fixed64 = 1,
    Bytes = 2,
    Fixed32 = 5,
}

/// <summary>A field: its number, and a number or where its bytes lie.</summary>
/// <param name="Number">As the message's definition numbers it.</param>
/// <param name="Wire">How it is written.</param>
/// <param name="Value">Of <see cref="ProtobufWire.Varint"/>.</param>
/// <param name="Begin">Of any other wire type: where its bytes begin in the file.</param>
/// <param name="End">Where they end; never beyond the message.</param>
internal readonly record struct ProtobufField(int Number, ProtobufWire Wire, ulong Value, long Begin, long End)
{
    public long Length => End - Begin;
}

/// <summary>
/// Walks over the fields of protobuf messages in a file (protobuf.dev, "Encoding"). What is not asked for is stepped over
/// unread, however large: a model's weights stay on the disk, where a reader of streams would go through all of them.
/// </summary>
internal sealed class ProtobufReader(CheckpointFile file)
{
    private const int MaxVarintBytes = 10;
    private const int MaxTextBytes = 65535;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private readonly byte[] _window = new byte[(int)Math.Min(file.Length, 1 << 16)];
    private long _windowBegin;
    private int _windowLength;

    /// <summary>The fields of the message in a range of the file, in their order; all of them lie inside the range.</summary>
    /// <exception cref="CheckpointException">The range is no message; when the enumeration gets there.</exception>
    public IEnumerable<ProtobufField> Fields(long begin, long end)
    {
        for (long position = begin; position < end;)
        {
            long start = position;
            ulong tag = Varint(ref position, end);
            var wire = (ProtobufWire)(tag & 7);
            if (tag >> 3 is 0 or > 0x1fffffff) throw Error(start, "is no field's tag");
            int number = (int)(tag >> 3);
            if (wire == ProtobufWire.Varint)
            {
                yield return new ProtobufField(number, wire, Varint(ref position, end), 0, 0);
                continue;
            }
            ulong length = wire switch
            {
                ProtobufWire.Fixed64 => 8,
                ProtobufWire.Fixed32 => 4,
                ProtobufWire.Bytes => Varint(ref position, end),
                _ => throw Error(start, $"has the wire type {(int)wire}, which ONNX does not use"),
            };
            if (length > (ulong)(end - position))
            {
                throw Error(start, $"has a field of {length} bytes in a message that ends after {end - position}; is the "
                    + "file cut short?");
            }
            yield return new ProtobufField(number, wire, 0, position, position + (long)length);
            position += (long)length;
        }
    }

    /// <summary>The numbers of a repeated integer, of one field of it: packed, or one alone.</summary>
    public IEnumerable<long> Integers(ProtobufField field)
    {
        if (field.Wire == ProtobufWire.Varint)
        {
            yield return (long)field.Value;
            yield break;
        }
        Require(field, ProtobufWire.Bytes);
        for (long position = field.Begin; position < field.End;) yield return (long)Varint(ref position, field.End);
    }

    public long Integer(ProtobufField field)
    {
        Require(field, ProtobufWire.Varint);
        return (long)field.Value;
    }

    /// <summary>A name or another short text.</summary>
    public string Text(ProtobufField field)
    {
        Require(field, ProtobufWire.Bytes);
        if (field.Length > MaxTextBytes)
            throw Error(field.Begin, $"is a text of {field.Length} bytes; at most {MaxTextBytes} are allowed");
        byte[] bytes = file.Read(field.Begin, field.Length, null);
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException(
                file.Path, null, $"the text at byte {Number(field.Begin)} is not valid UTF-8", e);
        }
    }

    /// <summary>The fields of a message inside of another one.</summary>
    public IEnumerable<ProtobufField> Message(ProtobufField field)
    {
        Require(field, ProtobufWire.Bytes);
        return Fields(field.Begin, field.End);
    }

    public void Require(ProtobufField field, ProtobufWire wire)
    {
        if (field.Wire != wire)
            throw Error(field.Begin, $"has field {field.Number} as {field.Wire}; ONNX writes it as {wire}");
    }

    public CheckpointException Error(long position, string reason) =>
        new(file.Path, null, $"is no ONNX model: byte {Number(position)} {reason}");

    private ulong Varint(ref long position, long end)
    {
        long start = position;
        ulong value = 0;
        for (int i = 0; i < MaxVarintBytes; i++)
        {
            if (position >= end) throw Error(start, "begins a number that its message ends in");
            byte part = Byte(position++);
            value |= (ulong)(part & 0x7f) << (7 * i);
            if (part < 0x80) return value;
        }
        throw Error(start, $"begins a number of more than {MaxVarintBytes} bytes");
    }

    private byte Byte(long position)
    {
        if (position < _windowBegin || position >= _windowBegin + _windowLength)
        {
            _windowLength = 0;
            int length = (int)Math.Min(_window.Length, file.Length - position);
            file.Read(position, _window.AsSpan(0, length), null);
            (_windowBegin, _windowLength) = (position, length);
        }
        return _window[position - _windowBegin];
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);
}
