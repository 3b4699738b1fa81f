using System.Text;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>GGUF files byte by byte, from the format's definition and nothing of ours. Every field can be a lie.</summary>
internal sealed class GgufBytes
{
    private readonly List<byte> _bytes = [];

    /// <summary>Positions of every count, length, type, dimension and offset written so far, with their sizes.</summary>
    public List<(int Position, int Size)> Fields { get; } = [];

    public GgufBytes Header(ulong tensors, ulong entries, uint version = 3) =>
        Raw("GGUF"u8).UInt32(version).UInt64(tensors).UInt64(entries);

    public GgufBytes Raw(ReadOnlySpan<byte> bytes)
    {
        _bytes.AddRange(bytes);
        return this;
    }

    public GgufBytes UInt32(uint value)
    {
        Fields.Add((_bytes.Count, 4));
        return Raw(BitConverter.GetBytes(value));
    }

    public GgufBytes UInt64(ulong value)
    {
        Fields.Add((_bytes.Count, 8));
        return Raw(BitConverter.GetBytes(value));
    }

    public GgufBytes Text(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return UInt64((ulong)bytes.Length).Raw(bytes);
    }

    /// <summary>A metadata entry up to its value.</summary>
    public GgufBytes Key(string key, uint type) => Text(key).UInt32(type);

    /// <summary>A tensor's entry; dimensions fastest first, as in the file.</summary>
    public GgufBytes Tensor(string name, uint type, ulong offset, params ulong[] dimensions)
    {
        Text(name).UInt32((uint)dimensions.Length);
        foreach (ulong dimension in dimensions) UInt64(dimension);
        return UInt32(type).UInt64(offset);
    }

    public GgufBytes Pad(int alignment = 32)
    {
        while (_bytes.Count % alignment != 0) _bytes.Add(0);
        return this;
    }

    public byte[] ToArray() => [.. _bytes];
}
