using System.Text;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>
/// Random changes to a protobuf message field by field, with every length around them made to fit: numbers, texts, fields
/// missing, twice, of other kinds or in other places.
/// </summary>
internal sealed class ProtobufMutations
{
    private const int Varint = 0;
    private const int Bytes = 2;
    private const int MaxNumber = 64;

    private static readonly string[] Texts = ["", "MatMulNBits", "com.microsoft", "../x", "K", "bits", "offset", "location", "-1", "18446744073709551616"];

    /// <summary>A field: a varint's value, or the bytes or fields of what has a length, or the bytes of a fixed number.</summary>
    private sealed record Field(int Number, int Wire, ulong Value, byte[] Content, List<Field>? Message);

    private readonly byte[] _original;
    private readonly List<Field> _fields;

    public ProtobufMutations(byte[] original)
    {
        _original = original;
        _fields = Parse(original) ?? throw new ArgumentException("is no message", nameof(original));
    }

    /// <summary>The message with one to three changes.</summary>
    public byte[] Mutate(Random random)
    {
        List<Field> fields = _fields.ConvertAll(Copy);
        for (int i = Math.Max(1, random.Next(-2, 4)); i > 0; i--) Change(random, fields, _original.Length);
        return Encode(fields);
    }

    // Goes down until a field is chosen, deeper ones rather than those around them.
    private static void Change(Random random, List<Field> fields, int length)
    {
        if (fields.Count == 0) return;
        int index = random.Next(fields.Count);
        var field = fields[index];
        if (field.Message is { Count: > 0 } inner && random.Next(8) != 0)
        {
            Change(random, inner, length);
            return;
        }
        switch (random.Next(10))
        {
            case 0:
                fields.RemoveAt(index);
                break;
            case 1:
                fields.Add(Copy(field));
                break;
            case 2:
                fields[index] = field with { Number = random.Next(1, 25) };
                break;
            case 3:
                fields[index] = Copy(fields[random.Next(fields.Count)]) with { Number = field.Number };
                break;
            case 4:
                fields[index] = new Field(field.Number, Varint, ByteMutations.Number(random, length), [], null);
                break;
            default:
                fields[index] = WithOtherContent(random, field, length);
                break;
        }
    }

    private static Field WithOtherContent(Random random, Field field, int length)
    {
        if (field.Wire == Varint)
        {
            ulong value = random.Next(3) switch
            {
                0 => field.Value + (ulong)random.Next(-2, 3),
                1 => (ulong)random.Next(32),
                _ => ByteMutations.Number(random, length),
            };
            return field with { Value = value };
        }
        if (field.Wire != Bytes) return field;
        if (random.Next(3) == 0) return field with { Content = Encoding.UTF8.GetBytes(Texts[random.Next(Texts.Length)]), Message = null };
        byte[] content = field.Message is null ? field.Content : Encode(field.Message);
        return field with { Content = ByteMutations.Mutate(random, content), Message = null };
    }

    private static Field Copy(Field field) => field with { Message = field.Message?.ConvertAll(Copy) };

    /// <summary>The fields of a message; null when the bytes are none.</summary>
    private static List<Field>? Parse(ReadOnlySpan<byte> bytes)
    {
        var fields = new List<Field>();
        while (bytes.Length > 0)
        {
            if (!TakeVarint(ref bytes, out ulong tag) || tag >> 3 is 0 or > MaxNumber) return null;
            int number = (int)(tag >> 3), wire = (int)(tag & 7);
            ulong value = 0;
            byte[] content = [];
            switch (wire)
            {
                case Varint:
                    if (!TakeVarint(ref bytes, out value)) return null;
                    break;
                case Bytes:
                    if (!TakeVarint(ref bytes, out ulong length) || length > (ulong)bytes.Length) return null;
                    content = bytes[..(int)length].ToArray();
                    bytes = bytes[(int)length..];
                    break;
                case 1 or 5:
                    int size = wire == 1 ? 8 : 4;
                    if (bytes.Length < size) return null;
                    content = bytes[..size].ToArray();
                    bytes = bytes[size..];
                    break;
                default:
                    return null;
            }
            fields.Add(new Field(number, wire, value, content, wire == Bytes && content.Length > 0 ? Parse(content) : null));
        }
        return fields;
    }

    private static byte[] Encode(List<Field> fields)
    {
        using var stream = new MemoryStream();
        foreach (var field in fields)
        {
            PutVarint(stream, (ulong)field.Number << 3 | (uint)field.Wire);
            byte[] content = field.Message is null ? field.Content : Encode(field.Message);
            if (field.Wire == Varint) PutVarint(stream, field.Value);
            if (field.Wire == Bytes) PutVarint(stream, (ulong)content.Length);
            stream.Write(content);
        }
        return stream.ToArray();
    }

    private static bool TakeVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (int i = 0; i < Math.Min(10, bytes.Length); i++)
        {
            value |= (ulong)(bytes[i] & 0x7f) << (7 * i);
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return true;
        }
        return false;
    }

    private static void PutVarint(MemoryStream stream, ulong value)
    {
        for (; value >= 0x80; value >>= 7) stream.WriteByte((byte)(value | 0x80));
        stream.WriteByte((byte)value);
    }
}
