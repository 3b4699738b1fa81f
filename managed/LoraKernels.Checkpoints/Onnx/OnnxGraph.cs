using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>What an ONNX model's graph (ModelProto and GraphProto of onnx.proto) has: initializers and MatMulNBits nodes.</summary>
/// <remarks>Those of graphs inside of nodes too: an exported decoder has its layers in the branches of an If.</remarks>
internal sealed class OnnxGraph
{
    public const string Operator = "MatMulNBits";

    private const string Domain = "com.microsoft";
    private const int MaxDepth = 8;
    private const int MaxInputs = 6;

    private readonly CheckpointFile _file;
    private readonly ProtobufReader _reader;
    private readonly List<OnnxTensor> _initializers = [];
    private readonly List<OnnxNode> _nodes = [];

    private OnnxGraph(CheckpointFile file)
    {
        _file = file;
        _reader = new ProtobufReader(file);
    }

    public IReadOnlyList<OnnxTensor> Initializers => _initializers;

    public IReadOnlyList<OnnxNode> Nodes => _nodes;

    /// <exception cref="CheckpointException">The file is no ONNX model, or is cut short.</exception>
    public static OnnxGraph Read(CheckpointFile file)
    {
        var graph = new OnnxGraph(file);
        bool found = false;
        foreach (var field in graph._reader.Fields(0, file.Length))
        {
            if (field.Number != 7) continue;
            graph.Graph(field, 0);
            found = true;
        }
        return found ? graph : throw new CheckpointException(file.Path, null, "is no ONNX model: it has no graph");
    }

    private void Graph(ProtobufField message, int depth)
    {
        if (depth == MaxDepth)
            throw _reader.Error(message.Begin, $"begins a graph inside of {MaxDepth} others; that deep none is read");
        foreach (var field in _reader.Message(message))
        {
            if (field.Number == 1) Node(field, depth);
            if (field.Number == 5) _initializers.Add(OnnxTensor.Read(_file, _reader, field));
        }
    }

    private void Node(ProtobufField message, int depth)
    {
        string name = "";
        string type = "";
        string domain = "";
        List<string>? inputs = null;
        Dictionary<string, long>? attributes = null;
        foreach (var field in _reader.Message(message))
        {
            switch (field.Number)
            {
                case 1 when inputs is null || inputs.Count < MaxInputs:
                    (inputs ??= []).Add(_reader.Text(field));
                    break;
                case 3:
                    name = _reader.Text(field);
                    break;
                case 4:
                    type = _reader.Text(field);
                    break;
                case 5:
                    if (Attribute(field, depth) is var (attribute, value))
                        (attributes ??= new(StringComparer.Ordinal))[attribute] = value;
                    break;
                case 7:
                    domain = _reader.Text(field);
                    break;
            }
        }
        if (type == Operator && domain == Domain) _nodes.Add(new OnnxNode(name, inputs ?? [], attributes ?? []));
    }

    /// <summary>The attribute, where it is a whole number; reads the graphs of one that has some.</summary>
    private (string Name, long Value)? Attribute(ProtobufField message, int depth)
    {
        string name = "";
        long? number = null;
        foreach (var field in _reader.Message(message))
        {
            switch (field.Number)
            {
                case 1:
                    name = _reader.Text(field);
                    break;
                case 3:
                    number = _reader.Integer(field);
                    break;
                case 6 or 11:
                    Graph(field, depth + 1);
                    break;
            }
        }
        return number is { } value ? (name, value) : null;
    }
}
