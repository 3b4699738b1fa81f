using System.Buffers.Binary;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Where a well-formed GGUF file has its counts, lengths, types, dimensions and offsets.</summary>
internal sealed class GgufFields
{
    private const int TextType = 8;
    private const int ArrayType = 9;
    private const int FieldsOfArray = 4;

    private readonly byte[] _file;
    private readonly List<(int Position, int Size)> _fields = [];
    private int _at = 4;

    private GgufFields(byte[] file) => _file = file;

    public static IReadOnlyList<(int Position, int Size)> Of(byte[] file)
    {
        var fields = new GgufFields(file);
        fields.UInt32();
        ulong tensors = fields.UInt64(), entries = fields.UInt64();
        for (ulong i = 0; i < entries; i++)
        {
            fields.Text();
            fields.Value(fields.UInt32());
        }
        for (ulong i = 0; i < tensors; i++)
        {
            fields.Text();
            for (uint dimension = fields.UInt32(); dimension > 0; dimension--) fields.UInt64();
            fields.UInt32();
            fields.UInt64();
        }
        return fields._fields;
    }

    private void Value(uint type)
    {
        switch (type)
        {
            case TextType:
                Text();
                break;
            case ArrayType:
                uint elements = UInt32();
                ulong count = UInt64();
                // Enough of long lists, whose lengths would crowd out all else.
                int fields = _fields.Count;
                for (ulong i = 0; i < count; i++)
                {
                    Value(elements);
                    if (i >= FieldsOfArray && _fields.Count > fields + FieldsOfArray)
                        _fields.RemoveRange(fields + FieldsOfArray, _fields.Count - fields - FieldsOfArray);
                }
                break;
            default:
                int size = type switch { 0 or 1 or 7 => 1, 2 or 3 => 2, 4 or 5 or 6 => 4, _ => 8 };
                _fields.Add((_at, size));
                _at += size;
                break;
        }
    }

    private void Text()
    {
        int length = (int)UInt64();
        _at += length;
    }

    private uint UInt32()
    {
        _fields.Add((_at, 4));
        _at += 4;
        return BinaryPrimitives.ReadUInt32LittleEndian(_file.AsSpan(_at - 4));
    }

    private ulong UInt64()
    {
        _fields.Add((_at, 8));
        _at += 8;
        return BinaryPrimitives.ReadUInt64LittleEndian(_file.AsSpan(_at - 8));
    }
}
