using System.Numerics;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>Reads and checks a GGUF header: version, metadata, tensors, and where the data lies.</summary>
internal sealed class GgufHeader
{
    public const string AlignmentKey = "general.alignment";

    private const uint DefaultAlignment = 32;
    private const uint MinAlignment = 8;
    private const uint MaxAlignment = 1 << 20;
    private const int MaxDimensions = 4;

    // The fewest bytes an entry can take: a one-byte key, its type, a one-byte value; a one-byte name, no dimensions.
    private const int LeastMetadataBytes = 8 + 1 + 4 + 1;
    private const int LeastTensorBytes = 8 + 1 + 4 + 4 + 8;

    private readonly CheckpointFile _file;
    private readonly GgufReader _reader;
    private readonly Dictionary<string, GgufValue> _metadata = new(StringComparer.Ordinal);
    private readonly List<TensorInfo> _tensors = [];

    private GgufHeader(CheckpointFile file)
    {
        _file = file;
        _reader = new GgufReader(file);
    }

    public int Version { get; private set; }

    public IReadOnlyDictionary<string, GgufValue> Metadata => _metadata;

    /// <summary>Sorted by where their data lies.</summary>
    public IReadOnlyList<TensorInfo> Tensors => _tensors;

    public static GgufHeader Read(CheckpointFile file)
    {
        var header = new GgufHeader(file);
        header.Parse();
        return header;
    }

    private void Parse()
    {
        uint magic = _reader.UInt32("the magic");
        if (magic != 0x46554747)
            throw _reader.Error($"begins with bytes {FileKind.FirstBytes(_file)}; a GGUF file begins with 'GGUF'");
        ReadVersion();
        long tensors = _reader.Count("the tensor count", LeastTensorBytes);
        long entries = _reader.Count("the metadata count", LeastMetadataBytes);
        for (long i = 0; i < entries; i++)
        {
            _reader.Subject = null;
            string key = _reader.Name($"the name of metadata entry {i}");
            _reader.Subject = key;
            if (!_metadata.TryAdd(key, _reader.Value())) throw _reader.Error("stands in the metadata twice");
        }
        uint alignment = Alignment();
        var found = new List<(TensorInfo Info, ulong Offset)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (long i = 0; i < tensors; i++)
        {
            _reader.Subject = null;
            string name = _reader.Name($"the name of tensor {i}");
            _reader.Subject = name;
            if (!names.Add(name)) throw _reader.Error("is listed twice");
            found.Add(ReadTensor(name, alignment));
        }
        _reader.Subject = null;
        Place(found, alignment);
    }

    private void ReadVersion()
    {
        uint version = _reader.UInt32("the version");
        if (version is 2 or 3)
        {
            Version = (int)version;
            return;
        }
        // A big-endian file's version has its one byte that is not zero at the other end.
        throw _reader.Error((version & 0xffff) == 0 && version != 0
            ? "is a big-endian GGUF file; only little-endian ones can be read. Convert it with gguf_convert_endian.py"
            : $"is GGUF version {version}; versions 2 and 3 can be read. Convert the model anew with a current llama.cpp");
    }

    private uint Alignment()
    {
        if (!_metadata.TryGetValue(AlignmentKey, out var value)) return DefaultAlignment;
        _reader.Subject = AlignmentKey;
        if (value.Value is uint alignment and >= MinAlignment and <= MaxAlignment && BitOperations.IsPow2(alignment))
            return alignment;
        throw _reader.Error($"is {value.Type} {value}; expected UInt32, a power of two from {MinAlignment} to "
            + $"{MaxAlignment}");
    }

    private (TensorInfo Info, ulong Offset) ReadTensor(string name, uint alignment)
    {
        uint dimensions = _reader.UInt32("the number of dimensions");
        if (dimensions > MaxDimensions)
            throw _reader.Error($"has {dimensions} dimensions; at most {MaxDimensions} are allowed");
        // The file has the fastest dimension first, TensorInfo the slowest.
        long[] shape = new long[dimensions];
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            ulong size = _reader.UInt64("a dimension");
            if (size > long.MaxValue) throw _reader.Error($"has a dimension of {size}; at most {long.MaxValue} is allowed");
            shape[i] = (long)size;
        }
        uint id = _reader.UInt32("the tensor type");
        var layout = TensorLayout.OfGgml(id)
            ?? throw _reader.Error($"has the unknown ggml type {id}, whose size is not known");
        long row = shape.Length == 0 ? 1 : shape[^1];
        long? bytes = row % layout.BlockElements == 0 && TensorLayout.Count(shape) is long count
            ? layout.Bytes(count)
            : null;
        if (bytes is null)
        {
            throw _reader.Error($"is {layout.Type} [{string.Join(", ", shape)}]; rows must be whole blocks of "
                + $"{layout.BlockElements}, and the size below 2^63 bytes");
        }
        ulong offset = _reader.UInt64("the data offset");
        if (offset % alignment != 0)
            throw _reader.Error($"has the data offset {offset}, which is no multiple of the alignment {alignment}");
        return (new TensorInfo(name, layout.Type, shape, _file.Path, 0, bytes.Value), offset);
    }

    /// <summary>Places the data after the header and checks that all of it is in the file, each byte once.</summary>
    private void Place(List<(TensorInfo Info, ulong Offset)> found, uint alignment)
    {
        long start = (_reader.Position + alignment - 1) / alignment * alignment;
        long room = Math.Max(0, _file.Length - start);
        foreach (var (info, offset) in found)
        {
            if (offset > (ulong)room || info.Bytes > room - (long)offset)
            {
                _reader.Subject = info.Name;
                throw _reader.Error($"has {info.Bytes} bytes at offset {offset} of the data section, which has only "
                    + $"{room}; is the file cut short?");
            }
            _tensors.Add(info with { Offset = start + (long)offset });
        }
        _tensors.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        for (int i = 1; i < _tensors.Count; i++)
        {
            var before = _tensors[i - 1];
            if (before.Offset + before.Bytes <= _tensors[i].Offset) continue;
            _reader.Subject = _tensors[i].Name;
            throw _reader.Error($"overlaps {CheckpointException.Quote(before.Name)}: it begins at offset "
                + $"{_tensors[i].Offset - start}, before that one's end at {before.Offset + before.Bytes - start}");
        }
    }
}
