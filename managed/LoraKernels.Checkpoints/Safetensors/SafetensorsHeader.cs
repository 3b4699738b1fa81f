using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Reads and checks the header of a safetensors file: u64 length, JSON, then the data, which the tensors cover from the
/// first byte to the last without holes or overlaps.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    internal const long MaxHeaderBytes = 100_000_000;

    /// <summary>More dimensions than any framework has; bounds what a header can make us hold.</summary>
    internal const int MaxDimensions = 64;

    private const string MetadataKey = "__metadata__";
    private const int LengthBytes = 8;

    private readonly CheckpointFile _file;
    private readonly List<TensorInfo> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly List<long> _numbers = [];
    private long _dataStart;

    private SafetensorsHeader(CheckpointFile file) => _file = file;

    /// <summary>Sorted by where their data lies.</summary>
    public IReadOnlyList<TensorInfo> Tensors => _tensors;

    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    public static SafetensorsHeader Read(CheckpointFile file)
    {
        var header = new SafetensorsHeader(file);
        byte[] json = header.ReadJson();
        try
        {
            header.Parse(json);
        }
        catch (JsonException e)
        {
            throw new CheckpointException(file.Path, null, $"the header is not valid JSON: {CheckpointException.Shorten(e.Message)}", e);
        }
        header.CheckCover();
        return header;
    }

    private byte[] ReadJson()
    {
        if (_file.Length < LengthBytes + 2)
        {
            throw Error(null, $"is {_file.Length} bytes long; the smallest safetensors file has 10 (an 8-byte header "
                + "length and '{}')");
        }
        Span<byte> prefix = stackalloc byte[LengthBytes + 1];
        _file.Read(0, prefix, null);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        ulong room = (ulong)(_file.Length - LengthBytes);
        if (length > MaxHeaderBytes || length > room)
        {
            throw Error(null, $"declares a header of {length} bytes; {room} are left in the file, and the format "
                + $"allows {MaxHeaderBytes}");
        }
        if (length < 2) throw Error(null, $"declares a header of {length} bytes; the smallest has 2 ('{{}}')");
        if (prefix[LengthBytes] != '{')
            throw Error(null, $"the header begins with byte 0x{prefix[LengthBytes]:x2}; expected '{{'");
        _dataStart = LengthBytes + (long)length;
        byte[] json = _file.Read(LengthBytes, (long)length, null);
        if (!Utf8.IsValid(json)) throw Error(null, "the header is not valid UTF-8");
        return json;
    }

    private void Parse(ReadOnlySpan<byte> json)
    {
        // Three levels: the header, a tensor, its shape.
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 3 });
        reader.Read();
        bool hasMetadata = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = Text(ref reader, null);
            reader.Read();
            if (name != MetadataKey)
            {
                if (!_names.Add(name)) throw Error(name, "stands in the header twice");
                ParseTensor(ref reader, name);
                continue;
            }
            if (hasMetadata) throw Error(name, "stands in the header twice");
            hasMetadata = true;
            ParseMetadata(ref reader);
        }
        // Past the closing brace only white space may follow; the reader throws at anything else.
        reader.Read();
    }

    private void ParseMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Error(MetadataKey, $"expected an object of strings, found {Found(ref reader)}");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = Text(ref reader, MetadataKey);
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw Error(MetadataKey,
                    $"expected a string for {CheckpointException.Quote(key)}, found {Found(ref reader)}");
            }
            if (!_metadata.TryAdd(key, Text(ref reader, MetadataKey)))
                throw Error(MetadataKey, $"has the key {CheckpointException.Quote(key)} twice");
        }
    }

    private void ParseTensor(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw Error(name, $"expected an object with dtype, shape and data_offsets, found {Found(ref reader)}");
        TensorLayout? layout = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = Text(ref reader, name);
            reader.Read();
            bool twice = field switch
            {
                "dtype" => layout is not null,
                "shape" => shape is not null,
                "data_offsets" => offsets is not null,
                _ => throw Error(name, $"has the field {CheckpointException.Quote(field)}; allowed are dtype, shape "
                    + "and data_offsets"),
            };
            if (twice) throw Error(name, $"has the field '{field}' twice");
            if (field == "dtype") layout = ParseType(ref reader, name);
            else if (field == "shape") shape = ParseNumbers(ref reader, name, field, MaxDimensions);
            else offsets = ParseNumbers(ref reader, name, field, 2);
        }
        if (layout is null) throw Error(name, "has no dtype");
        if (shape is null) throw Error(name, "has no shape");
        if (offsets is not [long begin, long end])
            throw Error(name, offsets is null ? "has no data_offsets" : "expected two data_offsets: begin and end");
        _tensors.Add(Check(name, layout, shape, begin, end));
    }

    private TensorLayout ParseType(ref Utf8JsonReader reader, string name)
    {
        if (reader.TokenType != JsonTokenType.String)
            throw Error(name, $"expected a string for dtype, found {Found(ref reader)}");
        string type = Text(ref reader, name);
        return TensorLayout.OfSafetensors(type) ?? throw Error(name,
            $"has the unknown dtype {CheckpointException.Quote(type)}; known are {TensorLayout.SafetensorsNames}");
    }

    private long[] ParseNumbers(ref Utf8JsonReader reader, string name, string field, int most)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Error(name, $"expected a list of numbers for {field}, found {Found(ref reader)}");
        _numbers.Clear();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long value) || value < 0)
            {
                throw Error(name, $"expected whole numbers from 0 to {long.MaxValue} in {field}, "
                    + $"found {Found(ref reader)}");
            }
            if (_numbers.Count == most) throw Error(name, $"has more than {most} numbers in {field}");
            _numbers.Add(value);
        }
        return [.. _numbers];
    }

    private TensorInfo Check(string name, TensorLayout layout, long[] shape, long begin, long end)
    {
        long room = _file.Length - _dataStart;
        if (begin > end || end > room)
        {
            throw Error(name, $"lies at bytes {begin} to {end} of the data section, which has {room} bytes; begin must "
                + "not be after end, nor end outside");
        }
        string shapeText = $"[{string.Join(", ", shape)}]";
        long? bytes = TensorLayout.Count(shape) is long count ? layout.Bytes(count) : null;
        if (bytes != end - begin)
        {
            string expected = bytes is null ? "no whole number of bytes below 2^63" : $"{bytes} bytes";
            throw Error(name, $"{layout.SafetensorsName} {shapeText} takes {expected}, but data_offsets "
                + $"{begin} to {end} hold {end - begin}");
        }
        return new TensorInfo(name, layout.Type, shape, _file.Path, _dataStart + begin, end - begin);
    }

    /// <summary>The format wants every data byte to belong to exactly one tensor: nothing hidden, nothing shared.</summary>
    private void CheckCover()
    {
        _tensors.Sort((a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.Bytes.CompareTo(b.Bytes));
        long at = _dataStart;
        string before = "the header";
        foreach (var tensor in _tensors)
        {
            if (tensor.Offset < at)
            {
                throw Error(tensor.Name, $"overlaps {before}: it begins at byte {tensor.Offset - _dataStart} of the "
                    + $"data section, before that one's end at {at - _dataStart}");
            }
            if (tensor.Offset > at)
            {
                throw Error(tensor.Name, $"begins at byte {tensor.Offset - _dataStart} of the data section, but "
                    + $"{before} ends at {at - _dataStart}; the format allows no holes");
            }
            at += tensor.Bytes;
            before = CheckpointException.Quote(tensor.Name);
        }
        if (at != _file.Length)
        {
            throw Error(null, $"is {_file.Length} bytes long, but its last tensor ends at byte {at}; the format allows "
                + "nothing after it");
        }
    }

    /// <summary>A string or property name, which may still hold an escape of half a character.</summary>
    private string Text(ref Utf8JsonReader reader, string? tensor)
    {
        try
        {
            return reader.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new CheckpointException(_file.Path, tensor,
                $"the header has a string that is not valid Unicode, at its byte {reader.TokenStartIndex}", e);
        }
    }

    private static string Found(ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => System.Text.Encoding.UTF8.GetString(
            reader.ValueSpan[..Math.Min(reader.ValueSpan.Length, 40)]),
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        _ => "null",
    };

    private CheckpointException Error(string? tensor, string reason) => new(_file.Path, tensor, reason);
}
