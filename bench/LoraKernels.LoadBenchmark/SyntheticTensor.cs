using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace LoraKernels.LoadBenchmark;

/// <summary>A tensor of a synthetic file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">As safetensors calls it, or GGUF.</param>
/// <param name="GgmlType">ggml's number of it.</param>
/// <param name="Shape">Slowest first.</param>
/// <param name="Content">Random when null.</param>
internal sealed record SyntheticTensor(string Name, string Type, uint GgmlType, long[] Shape, byte[]? Content = null)
{
    public const int GgufAlignment = 32;

    private const int PieceBytes = 16 << 20;

    public long Bytes => Content?.Length ?? Shape.Aggregate(1L, (product, size) => product * size) * Type switch
    {
        "I32" => 32,
        "F16" => 16,
        "Q4_K" => 144 * 8,
        "Q6_K" => 210 * 8,
        _ => 8,
    } / 8 / (Type is "Q4_K" or "Q6_K" ? 256 : 1);

    public static byte[] SafetensorsHeader(IEnumerable<SyntheticTensor> tensors)
    {
        long at = 0;
        var json = new StringBuilder("{");
        foreach (var tensor in tensors)
        {
            json.Append(at == 0 ? "" : ",").Append(CultureInfo.InvariantCulture,
                $"\"{tensor.Name}\":{{\"dtype\":\"{tensor.Type}\",\"shape\":[{string.Join(',', tensor.Shape)}],"
                + $"\"data_offsets\":[{at},{at += tensor.Bytes}]}}");
        }
        byte[] text = Encoding.UTF8.GetBytes(json.Append('}').ToString());
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Length);
        return [.. length, .. text];
    }

    public static byte[] GgufHeader(IReadOnlyCollection<SyntheticTensor> tensors)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        void Text(string text)
        {
            writer.Write((ulong)text.Length);
            writer.Write(Encoding.UTF8.GetBytes(text));
        }
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write(0ul);
        long at = 0;
        foreach (var tensor in tensors)
        {
            Text(tensor.Name);
            writer.Write((uint)tensor.Shape.Length);
            foreach (long dimension in tensor.Shape.Reverse()) writer.Write((ulong)dimension);
            writer.Write(tensor.GgmlType);
            writer.Write((ulong)at);
            at += (tensor.Bytes + GgufAlignment - 1) / GgufAlignment * GgufAlignment;
        }
        while (buffer.Length % GgufAlignment != 0) writer.Write((byte)0);
        return buffer.ToArray();
    }

    /// <summary>Its bytes, and zeros up to a multiple of the alignment.</summary>
    public void Write(Stream stream, int alignment)
    {
        if (Content is not null)
        {
            stream.Write(Content);
        }
        else
        {
            byte[] piece = new byte[Math.Min(PieceBytes, Bytes)];
            new Random(Name.Length).NextBytes(piece);
            for (long left = Bytes; left > 0; left -= piece.Length)
                stream.Write(piece, 0, (int)Math.Min(piece.Length, left));
        }
        stream.Write(new byte[(alignment - Bytes % alignment) % alignment]);
    }
}
