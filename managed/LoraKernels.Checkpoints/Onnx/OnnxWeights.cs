using System.Numerics;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Finds the weights of an ONNX model's MatMulNBits nodes of 4 bits, as ONNX Runtime defines them (ContribOperators.md): with
/// G = ⌈K / block_size⌉ B U8 [N, G, block_size / 2], scales [N, G], zero_points U8 [N, ⌈G / 2⌉] or numbers [N, G], g_idx I32
/// [K]. Its bias is a tensor of its own.
/// </summary>
internal sealed class OnnxWeights : IWeightReader
{
    private const int Codes = 1;
    private const int Scales = 2;
    private const int ZeroPoints = 3;
    private const int GroupIndex = 4;
    private const int Bias = 5;
    private const long SmallestBlock = 16;

    private static readonly string[] InputNames = ["A", "B", "scales", "zero_points", "g_idx", "bias"];

    public string Reads => "ONNX (MatMulNBits of 4 bits)";

    public IReadOnlyList<string> Methods => [];

    public IEnumerable<WeightEntry> Find(TensorSource source, QuantizationConfig? config)
    {
        if (source is not OnnxSource model) return [];
        var perModule = model.Nodes.ToLookup(ModuleOf, StringComparer.Ordinal);
        var found = new Dictionary<string, (OnnxNode Node, WeightEntry Entry)>(StringComparer.Ordinal);
        foreach (var module in perModule)
        {
            // The branches of an If have the same layers: one weight. Different ones go by the names of their nodes.
            bool same = module.All(node => IsSame(node, module.First()));
            foreach (var node in same ? module.Take(1) : module)
            {
                string name = same ? module.Key : node.Name;
                if (found.TryGetValue(name, out var other) && IsSame(node, other.Node)) continue;
                if (!found.TryAdd(name, (node, Check(model, node, name))))
                {
                    throw new CheckpointException(model.Path, name,
                        $"is the name of two {OnnxGraph.Operator} nodes with weights of their own");
                }
            }
        }
        return found.Values.Select(f => f.Entry);
    }

    /// <summary>
    /// The module that a node was exported from: exporters name it <c>/model/layers.0/self_attn/q_proj/MatMul_Q4</c>. Without
    /// such a name, the node's own, or that of its codes.
    /// </summary>
    private static string ModuleOf(OnnxNode node)
    {
        string[] path = node.Name.Split('/', StringSplitOptions.RemoveEmptyEntries);
        if (path.Length > 1 && node.Name[0] == '/' && path[^1].StartsWith("MatMul", StringComparison.Ordinal))
            return string.Join('.', path[..^1]);
        return node.Name.Length > 0 ? node.Name : node.Input(Codes) ?? OnnxGraph.Operator;
    }

    private static bool IsSame(OnnxNode a, OnnxNode b) =>
        a.Inputs.Skip(Codes).Take(GroupIndex).SequenceEqual(b.Inputs.Skip(Codes).Take(GroupIndex), StringComparer.Ordinal)
        && a.Attributes.Count == b.Attributes.Count && a.Attributes.All(x => b.Attributes.GetValueOrDefault(x.Key) == x.Value);

    private static WeightEntry Check(OnnxSource model, OnnxNode node, string name)
    {
        if (node.Attributes.TryGetValue("bits", out long bits) && bits != 4)
            throw Error(model, name, $"has bits {bits}; weights of 4 bits can be read");
        long n = Size(model, node, name, "N");
        long k = Size(model, node, name, "K");
        long block = Size(model, node, name, "block_size");
        if (block < SmallestBlock || !BitOperations.IsPow2(block))
            throw Error(model, name, $"has block_size {block}; expected a power of two from {SmallestBlock} on");
        long groups = (k - 1) / block + 1;

        // First: it bounds all products of n and groups.
        var codes = LayerTensors.Expect(Require(model, node, name, Codes), [TensorType.U8], n, groups, block / 2);
        var scales = ExpectRows(Require(model, node, name, Scales), LayerTensors.Floats, n, groups);
        var zeroPoints = Optional(model, node, name, ZeroPoints) is not { } zeros ? null
            : zeros.Type == TensorType.U8 ? ExpectRows(zeros, [TensorType.U8], n, (groups + 1) / 2)
            : ExpectRows(zeros, [scales.Type], n, groups);
        var groupIndex = Optional(model, node, name, GroupIndex);
        // ONNX Runtime takes one that is as long as the blocks are, too.
        if (groupIndex is not null)
            LayerTensors.Expect(groupIndex, [TensorType.I32], groupIndex.Shape is [var size] && size == groups * block ? size : k);
        if (Optional(model, node, name, Bias) is { } bias) LayerTensors.Expect(bias, LayerTensors.Floats, n);

        TensorInfo[] parts = [.. new[] { codes, scales, zeroPoints, groupIndex }.OfType<TensorInfo>()];
        var info = new WeightInfo(name, WeightFormat.OnnxMatMulNBits, n, k, block, false, parts.Sum(p => p.Bytes));
        return new WeightEntry(info, parts, read => new WeightTensors
        {
            Format = WeightFormat.OnnxMatMulNBits,
            OutFeatures = n,
            InFeatures = k,
            GroupSize = block,
            ScaleDType = LayerTensors.DTypeOf(scales),
            Codes = read(new TensorPart(codes)),
            Scales = read(new TensorPart(scales)),
            ZeroPoints = zeroPoints is null ? default : read(new TensorPart(zeroPoints)),
            GroupIndex = groupIndex is null ? default : read(new TensorPart(groupIndex, 0, k * sizeof(int))),
        });
    }

    private static long Size(OnnxSource model, OnnxNode node, string name, string attribute)
    {
        if (!node.Attributes.TryGetValue(attribute, out long size))
            throw Error(model, name, $"has no attribute {attribute}, which {OnnxGraph.Operator} must have");
        return size > 0 ? size : throw Error(model, name, $"has {attribute} {size}; expected one above 0");
    }

    /// <summary>Rows of that many elements, which older models write as one dimension.</summary>
    private static TensorInfo ExpectRows(TensorInfo tensor, TensorType[] types, long rows, long columns) =>
        tensor.Shape.Count == 1
            ? LayerTensors.Expect(tensor, types, rows * columns)
            : LayerTensors.Expect(tensor, types, rows, columns);

    private static TensorInfo Require(OnnxSource model, OnnxNode node, string name, int input) =>
        Optional(model, node, name, input)
        ?? throw Error(model, name, $"has no input {InputNames[input]}, which {OnnxGraph.Operator} must have");

    private static TensorInfo? Optional(OnnxSource model, OnnxNode node, string name, int input) =>
        node.Input(input) is { } tensor ? model.Require(tensor, name, InputNames[input]) : null;

    private static CheckpointException Error(OnnxSource model, string name, string reason) => new(model.Path, name, reason);
}
