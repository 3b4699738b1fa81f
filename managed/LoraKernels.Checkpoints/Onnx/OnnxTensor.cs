using System.Globalization;
using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Reads an initializer (TensorProto of onnx.proto): what it is and where its data lies, in the model's file or in one beside
/// it.
/// </summary>
internal sealed class OnnxTensor
{
    private const int MaxDimensions = 16;
    private const long External = 1;

    private readonly CheckpointFile _model;
    private readonly List<long> _shape = [];
    private long _type;
    private long _location;
    private ProtobufField? _data;
    private string? _unreadable;
    private string? _externalFile;
    private string? _externalOffset;
    private string? _externalLength;

    private OnnxTensor(CheckpointFile model) => _model = model;

    public string Name { get; private set; } = "";

    /// <summary>Reads a TensorProto's fields, its data excepted.</summary>
    public static OnnxTensor Read(CheckpointFile model, ProtobufReader reader, ProtobufField message)
    {
        var tensor = new OnnxTensor(model);
        foreach (var field in reader.Message(message)) tensor.Take(reader, field);
        if (tensor.Name.Length == 0) throw reader.Error(message.Begin, "begins an initializer without a name");
        return tensor;
    }

    /// <summary>The tensor, checked; or null, and why its data cannot be read.</summary>
    /// <param name="open">Opens a file of external data, named as the model names it.</param>
    /// <param name="unreadable">A type or place of data that no weight of 4 bits has, for whoever asks for this tensor.</param>
    /// <exception cref="CheckpointException">Data that does not fit the shape, or is not where it should be.</exception>
    public TensorInfo? Locate(Func<string, CheckpointFile> open, out string? unreadable)
    {
        if (TypeOf(_type) is not { } type)
        {
            unreadable = $"has the ONNX data type {_type}, which cannot be read";
            return null;
        }
        long? bytes = TensorLayout.Count([.. _shape]) is { } count ? TensorLayout.Of(type).Bytes(count) : null;
        if (bytes is not { } size) throw Error($"is {type} {ShapeText}, more than 2^63 bytes");
        unreadable = null;
        if (_location == External) return LocateExternal(type, size, open);
        if (_data is { } data)
        {
            if (data.Length != size) throw Error($"is {type} {ShapeText}, {size} bytes; its data has {data.Length}");
            return new TensorInfo(Name, type, _shape, _model.Path, data.Begin, size);
        }
        if (_unreadable is not null)
        {
            unreadable = $"has its data in {_unreadable}; data in raw_data or in a file of its own can be read";
            return null;
        }
        if (size > 0) throw Error($"is {type} {ShapeText}, {size} bytes, but has no data");
        return new TensorInfo(Name, type, _shape, _model.Path, 0, 0);
    }

    private string ShapeText => $"[{string.Join(", ", _shape)}]";

    private void Take(ProtobufReader reader, ProtobufField field)
    {
        switch (field.Number)
        {
            case 1:
                foreach (long size in reader.Integers(field)) AddDimension(reader, field, size);
                break;
            case 2:
                _type = reader.Integer(field);
                break;
            // Packed, its bytes are those of raw_data.
            case 4 or 10 when field.Wire == ProtobufWire.Bytes && _data is null:
            case 9:
                reader.Require(field, ProtobufWire.Bytes);
                _data = field;
                break;
            case 4 or 5 or 6 or 7 or 10 or 11:
                _unreadable = field.Number switch
                {
                    4 => "float_data",
                    5 => "int32_data",
                    6 => "string_data",
                    7 => "int64_data",
                    10 => "double_data",
                    _ => "uint64_data",
                };
                break;
            case 8:
                Name = reader.Text(field);
                break;
            case 13:
                AddExternal(reader, field);
                break;
            case 14:
                _location = reader.Integer(field);
                break;
        }
    }

    private void AddDimension(ProtobufReader reader, ProtobufField field, long size)
    {
        if (size < 0) throw reader.Error(field.Begin, $"begins an initializer with a dimension of {size}");
        if (_shape.Count == MaxDimensions)
            throw reader.Error(field.Begin, $"begins an initializer of more than {MaxDimensions} dimensions");
        _shape.Add(size);
    }

    // StringStringEntryProto; the keys are those of onnx's ExternalData.
    private void AddExternal(ProtobufReader reader, ProtobufField entry)
    {
        string key = "";
        string value = "";
        foreach (var field in reader.Message(entry))
        {
            if (field.Number == 1) key = reader.Text(field);
            if (field.Number == 2) value = reader.Text(field);
        }
        if (key == "location") _externalFile = value;
        if (key == "offset") _externalOffset = value;
        if (key == "length") _externalLength = value;
    }

    private TensorInfo LocateExternal(TensorType type, long bytes, Func<string, CheckpointFile> open)
    {
        if (_externalFile is not { } location)
            throw Error("has its data in another file, but does not say in which (external_data has no location)");
        long offset = ExternalNumber("offset", _externalOffset) ?? 0;
        long length = ExternalNumber("length", _externalLength) ?? bytes;
        if (length != bytes)
        {
            throw Error($"is {type} {ShapeText}, {bytes} bytes; its data in {CheckpointException.Quote(location)} has {length}");
        }
        CheckpointFile file;
        try
        {
            file = open(location);
        }
        catch (CheckpointException e)
        {
            throw new CheckpointException(_model.Path, Name,
                $"has its data in {CheckpointException.Quote(location)}, which cannot be opened: {e.Reason}", e);
        }
        if (offset > file.Length || length > file.Length - offset)
        {
            throw new CheckpointException(file.Path, Name,
                $"has {length} bytes at offset {offset} of the file, which has only {file.Length}; is it cut short?");
        }
        return new TensorInfo(Name, type, _shape, file.Path, offset, bytes);
    }

    private long? ExternalNumber(string key, string? text)
    {
        if (text is null) return null;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number)) return number;
        throw Error($"has the {key} {CheckpointException.Quote(text)} in external_data; expected a whole number from 0 on");
    }

    private CheckpointException Error(string reason) => new(_model.Path, Name, reason);

    /// <summary>Of TensorProto.DataType; null for those that take less than a byte, and texts.</summary>
    private static TensorType? TypeOf(long number) => number switch
    {
        1 => TensorType.F32,
        2 => TensorType.U8,
        3 => TensorType.I8,
        4 => TensorType.U16,
        5 => TensorType.I16,
        6 => TensorType.I32,
        7 => TensorType.I64,
        9 => TensorType.Bool,
        10 => TensorType.F16,
        11 => TensorType.F64,
        12 => TensorType.U32,
        13 => TensorType.U64,
        14 => TensorType.C64,
        16 => TensorType.BF16,
        17 => TensorType.F8E4M3,
        18 => TensorType.F8E4M3Fnuz,
        19 => TensorType.F8E5M2,
        20 => TensorType.F8E5M2Fnuz,
        24 => TensorType.F8E8M0,
        _ => null,
    };
}
