using System.Buffers.Binary;

namespace LoraKernels.Checkpoints.Writing;

/// <summary>
/// A safetensors file that is written in any order: which tensors it will have is said first, their data comes later. It
/// lies in a folder that appears whole or not at all, so that it needs no name of its own while it is written.
/// </summary>
internal sealed class SafetensorsShard : IDisposable
{
    private readonly Dictionary<string, (SafetensorsEntry Entry, long Offset)> _missing;
    private readonly FileStream _stream;

    /// <param name="path">A file that is not there.</param>
    /// <param name="planned">All of its tensors; their data is not asked for.</param>
    public SafetensorsShard(string path, IEnumerable<SafetensorsEntry> planned)
    {
        SafetensorsEntry[] entries = SafetensorsWriter.InOrder(planned);
        byte[] header = SafetensorsWriter.Header(entries, new Dictionary<string, string> { ["format"] = "pt" });
        _missing = new(entries.Length, StringComparer.Ordinal);
        long offset = sizeof(long) + header.Length;
        foreach (var entry in entries)
        {
            _missing.Add(entry.Name, (entry, offset));
            offset += entry.Bytes;
        }
        _stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 16);
        Span<byte> length = stackalloc byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        _stream.Write(length);
        _stream.Write(header);
    }

    /// <summary>Writes the data of a tensor where it was planned.</summary>
    /// <exception cref="InvalidOperationException">It was not planned so, or is written already.</exception>
    public void Write(SafetensorsEntry entry)
    {
        if (!_missing.Remove(entry.Name, out var planned) || planned.Entry.Type != entry.Type
            || !planned.Entry.Shape.SequenceEqual(entry.Shape))
        {
            throw new InvalidOperationException(
                $"{entry.Name}: {entry.Type} [{string.Join(", ", entry.Shape)}] was not planned, or is written already");
        }
        _stream.Position = planned.Offset;
        SafetensorsWriter.WriteData(_stream, entry);
    }

    /// <summary>Forces the file to the disk.</summary>
    /// <exception cref="InvalidOperationException">A tensor was not written.</exception>
    public void Complete()
    {
        if (_missing.Count > 0)
            throw new InvalidOperationException($"{_missing.Count} tensors were not written, {_missing.Keys.First()} for one");
        _stream.Flush(flushToDisk: true);
    }

    public void Dispose() => _stream.Dispose();
}
