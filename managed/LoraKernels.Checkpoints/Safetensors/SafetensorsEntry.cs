namespace LoraKernels.Checkpoints;

/// <summary>A tensor to be written to a safetensors file. Its data is asked for only when its turn comes.</summary>
public sealed class SafetensorsEntry
{
    /// <param name="name">Not empty, and not <c>__metadata__</c>.</param>
    /// <param name="type">A type that safetensors has.</param>
    /// <param name="shape">Dimensions, slowest first; empty for a scalar.</param>
    /// <param name="write">Writes exactly <see cref="Bytes"/> bytes, little endian, row-major.</param>
    /// <exception cref="ArgumentException">A name, type or shape that the format does not have.</exception>
    public SafetensorsEntry(string name, TensorType type, IReadOnlyList<long> shape, Action<Stream> write)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentNullException.ThrowIfNull(shape);
        ArgumentNullException.ThrowIfNull(write);
        if (name == "__metadata__")
            throw new ArgumentException("'__metadata__' is the key of the file's metadata, not of a tensor", nameof(name));
        var layout = TensorLayout.Of(type);
        if (layout.SafetensorsName is null)
        {
            throw new ArgumentException(
                $"{name}: {type} is not a type of safetensors; allowed are {TensorLayout.SafetensorsNames}", nameof(type));
        }
        long[] dimensions = [.. shape];
        if (dimensions.Any(d => d < 0) || TensorLayout.Count(dimensions) is not long count
            || layout.Bytes(count) is not long bytes)
        {
            throw new ArgumentException($"{name}: {type} [{string.Join(", ", dimensions)}] has no size in whole bytes; "
                + "dimensions are 0 or more, and their product fills whole bytes", nameof(shape));
        }
        Name = name;
        Type = type;
        Shape = dimensions;
        Bytes = bytes;
        Write = write;
    }

    /// <summary>A tensor whose bytes are in memory.</summary>
    /// <exception cref="ArgumentException">As above, or <paramref name="data"/> has another size.</exception>
    public SafetensorsEntry(string name, TensorType type, IReadOnlyList<long> shape, ReadOnlyMemory<byte> data)
        : this(name, type, shape, stream => stream.Write(data.Span))
    {
        if (data.Length != Bytes)
        {
            throw new ArgumentException(
                $"{name}: {type} [{string.Join(", ", Shape)}] takes {Bytes} bytes, got {data.Length}", nameof(data));
        }
    }

    /// <summary>A tensor whose data is not known yet.</summary>
    internal SafetensorsEntry(string name, TensorType type, IReadOnlyList<long> shape)
        : this(name, type, shape, _ => throw new InvalidOperationException($"{name} is only planned"))
    {
    }

    /// <summary>The tensor's name.</summary>
    public string Name { get; }

    /// <summary>How its elements are stored.</summary>
    public TensorType Type { get; }

    /// <summary>Dimensions, slowest first.</summary>
    public IReadOnlyList<long> Shape { get; }

    /// <summary>Size of its data.</summary>
    public long Bytes { get; }

    internal Action<Stream> Write { get; }
}
