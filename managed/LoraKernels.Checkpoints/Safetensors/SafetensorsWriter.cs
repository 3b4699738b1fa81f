using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>Writes safetensors files: streamed, so that the data need not be in memory at once, and all or nothing.</summary>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>Writes a file, replacing one of that name only when all of it is on the disk.</summary>
    /// <param name="path">Where to; its folder exists.</param>
    /// <param name="tensors">
    /// In any order; they are stored by falling element size, so that each is aligned to its elements.
    /// </param>
    /// <param name="metadata">Strings for the header's <c>__metadata__</c>, <c>format: pt</c> for one.</param>
    /// <exception cref="ArgumentException">A name twice.</exception>
    /// <exception cref="InvalidOperationException">An entry wrote more or fewer bytes than its size.</exception>
    /// <exception cref="IOException">The disk refused; a file of that name is unchanged.</exception>
    public static void Write(
        string path, IEnumerable<SafetensorsEntry> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(tensors);
        SafetensorsEntry[] entries = InOrder(tensors);
        byte[] header = Header(entries, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var entry in entries) WriteData(stream, entry);
        });
    }

    /// <summary>The order in which tensors are stored: by falling element size.</summary>
    /// <exception cref="ArgumentException">A name twice.</exception>
    internal static SafetensorsEntry[] InOrder(IEnumerable<SafetensorsEntry> tensors)
    {
        // A stable sort: tensors of one size stay in the order given.
        SafetensorsEntry[] entries = [.. tensors.OrderByDescending(t => TensorLayout.Of(t.Type).BlockBytes)];
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (!names.Add(entry.Name))
                throw new ArgumentException($"the tensor {entry.Name} is given twice", nameof(tensors));
        }
        return entries;
    }

    /// <summary>The header of a file with these tensors, in this order.</summary>
    internal static byte[] Header(SafetensorsEntry[] entries, IReadOnlyDictionary<string, string>? metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var entry in entries)
            {
                json.WriteStartObject(entry.Name);
                json.WriteString("dtype", TensorLayout.Of(entry.Type).SafetensorsName);
                json.WriteStartArray("shape");
                foreach (long dimension in entry.Shape) json.WriteNumberValue(dimension);
                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += entry.Bytes);
                json.WriteEndArray();
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        int padding = (int)(-buffer.Length & (Alignment - 1));
        buffer.Write(Encoding.ASCII.GetBytes(new string(' ', padding)));
        if (buffer.Length > SafetensorsHeader.MaxHeaderBytes)
        {
            throw new ArgumentException($"{entries.Length} tensors need a header of {buffer.Length} bytes; the format "
                + $"allows {SafetensorsHeader.MaxHeaderBytes}", nameof(entries));
        }
        return buffer.ToArray();
    }

    /// <summary>Writes a tensor's data, which must be as long as it says.</summary>
    internal static void WriteData(Stream stream, SafetensorsEntry entry)
    {
        long begin = stream.Position;
        entry.Write(stream);
        long written = stream.Position - begin;
        if (written != entry.Bytes)
        {
            throw new InvalidOperationException(
                $"the tensor {entry.Name} has {entry.Bytes} bytes, but its writer wrote {written}");
        }
    }
}
