using System.Text;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>ONNX models byte by byte, from onnx.proto and protobuf's encoding and nothing of ours. Any of it can be a lie.</summary>
internal static class OnnxBytes
{
    public const string Layer = "model.layers.0.attn.q_proj";

    /// <summary>[4, 40] in blocks of 32: the attributes of a MatMulNBits node of that weight.</summary>
    public static readonly (string Name, long Value)[] Attributes = [("K", 40), ("N", 4), ("bits", 4), ("block_size", 32)];

    public static readonly string[] Inputs = ["x", "B", "S"];

    /// <summary>Its codes, F16 scales, and what goes with <see cref="Inputs"/>.</summary>
    public static List<byte[]> Tensors() => [Tensor("B", 2, [4, 2, 16]), Tensor("S", 10, [4, 2])];

    public static byte[] Message(params (int Number, object Value)[] fields)
    {
        var bytes = new List<byte>();
        foreach (var (number, value) in fields)
        {
            byte[]? raw = value as byte[] ?? (value is string text ? Encoding.UTF8.GetBytes(text) : null);
            Varint(bytes, (ulong)number << 3 | (raw is null ? 0u : 2u));
            Varint(bytes, raw is null ? (ulong)Convert.ToInt64(value, null) : (ulong)raw.Length);
            bytes.AddRange(raw ?? []);
        }
        return [.. bytes];
    }

    /// <summary>A TensorProto with as many bytes of data as its shape asks for, or <paramref name="data"/>.</summary>
    public static byte[] Tensor(string name, int type, long[] shape, byte[]? data = null) =>
        Message([.. Head(name, type, shape), (9, data ?? Data(type, shape))]);

    /// <summary>One whose data is elsewhere.</summary>
    public static byte[] ExternalTensor(string name, int type, long[] shape, params (string Key, string Value)[] external) =>
        Message([.. Head(name, type, shape), .. external.Select(e => (13, (object)Message((1, e.Key), (2, e.Value)))), (14, 1)]);

    public static byte[] Data(int type, long[] shape)
    {
        int size = type switch { 1 or 6 => 4, 10 or 16 => 2, 7 or 11 => 8, _ => 1 };
        byte[] data = new byte[shape.Aggregate(size, (n, d) => (int)(n * d))];
        // No float is NaN or infinite.
        for (int i = 0; i < data.Length; i++) data[i] = (byte)(i % 47);
        return data;
    }

    public static byte[] Node(
        IEnumerable<string> inputs, IEnumerable<(string Name, long Value)> attributes,
        string name = "/model/layers.0/attn/q_proj/MatMul_Q4", string domain = "com.microsoft") =>
        Message([.. inputs.Select(i => (1, (object)i)), (3, name), (4, "MatMulNBits"),
            .. attributes.Select(a => (5, (object)Message((1, a.Name), (3, a.Value)))), (7, domain)]);

    public static byte[] Graph(IEnumerable<byte[]> nodes, IEnumerable<byte[]> tensors) =>
        Message([.. nodes.Select(n => (1, (object)n)), (2, "g"), .. tensors.Select(t => (5, (object)t))]);

    public static byte[] Model(byte[] graph) => Message((1, 9), (2, "tests"), (7, graph));

    /// <summary>A model of one MatMulNBits node.</summary>
    public static byte[] Model(
        IEnumerable<byte[]> tensors, IEnumerable<string>? inputs = null, IEnumerable<(string, long)>? attributes = null) =>
        Model(Graph([Node(inputs ?? Inputs, attributes ?? Attributes)], tensors));

    private static (int, object)[] Head(string name, int type, long[] shape) =>
        [.. shape.Select(d => (1, (object)d)), (2, type), (8, name)];

    private static void Varint(List<byte> bytes, ulong value)
    {
        for (; value > 127; value >>= 7) bytes.Add((byte)(value & 127 | 128));
        bytes.Add((byte)value);
    }
}
