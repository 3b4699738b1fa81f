using System.Text;

namespace LoraKernels.LoadBenchmark;

/// <summary>Checkpoints of random contents in the shapes of Mistral-7B, as many of its layers as fit a size.</summary>
internal static class SyntheticCheckpoint
{
    private const int Hidden = 4096, Intermediate = 14336, KeyValue = 1024;

    public static IReadOnlyList<string> Kinds { get; } = ["nf4", "gptq", "gguf"];

    private static readonly (string Name, string Gguf, int N, int K)[] Linears =
    [
        ("self_attn.q_proj", "attn_q", Hidden, Hidden), ("self_attn.k_proj", "attn_k", KeyValue, Hidden),
        ("self_attn.v_proj", "attn_v", KeyValue, Hidden), ("self_attn.o_proj", "attn_output", Hidden, Hidden),
        ("mlp.gate_proj", "ffn_gate", Intermediate, Hidden), ("mlp.up_proj", "ffn_up", Intermediate, Hidden),
        ("mlp.down_proj", "ffn_down", Hidden, Intermediate),
    ];

    /// <summary>The file, written unless it is there.</summary>
    public static string Write(string folder, string kind, long bytes)
    {
        Directory.CreateDirectory(folder);
        bool gguf = kind == "gguf";
        string path = Path.Combine(folder, $"{kind}-{bytes}.{(gguf ? "gguf" : "safetensors")}");
        if (File.Exists(path)) return path;
        var tensors = new List<SyntheticTensor>();
        for (int layer = 0; tensors.Sum(t => t.Bytes) < bytes; layer++)
        {
            foreach (var (name, ggufName, n, k) in Linears)
            {
                tensors.AddRange(kind switch
                {
                    "nf4" => Nf4($"model.layers.{layer}.{name}.weight", n, k),
                    "gptq" => Gptq($"model.layers.{layer}.{name}", n, k),
                    "gguf" => [Gguf($"blk.{layer}.{ggufName}.weight", n, k, layer)],
                    _ => throw new ArgumentException($"{kind} is not one of {string.Join(", ", Kinds)}", nameof(kind)),
                });
            }
        }
        Console.Error.WriteLine($"writing {path}");
        string unfinished = path + ".part";
        using (var file = File.Create(unfinished))
        {
            file.Write(gguf ? SyntheticTensor.GgufHeader(tensors) : SyntheticTensor.SafetensorsHeader(tensors));
            foreach (var tensor in tensors) tensor.Write(file, gguf ? SyntheticTensor.GgufAlignment : 1);
        }
        File.Move(unfinished, path);
        return path;
    }

    private static IEnumerable<SyntheticTensor> Nf4(string name, int n, int k)
    {
        long groups = (long)n * k / 64;
        byte[] state = Encoding.UTF8.GetBytes("{\"quant_type\": \"nf4\", \"blocksize\": 64, \"dtype\": \"bfloat16\", "
            + $"\"shape\": [{n}, {k}], \"nested_blocksize\": 256, \"nested_dtype\": \"float32\", \"nested_offset\": 0.02}}");
        return
        [
            new(name, "U8", 0, [(long)n * k / 2, 1]), new(name + ".absmax", "U8", 0, [groups]),
            new(name + ".quant_map", "F32", 0, [16], new byte[64]),
            new(name + ".nested_quant_map", "F32", 0, [256], new byte[1024]),
            new(name + ".nested_absmax", "F32", 0, [groups / 256], new byte[groups / 256 * 4]),
            new(name + ".quant_state.bitsandbytes__nf4", "U8", 0, [state.Length], state),
        ];
    }

    // Groups of 128.
    private static IEnumerable<SyntheticTensor> Gptq(string name, int n, int k) =>
    [
        new(name + ".qweight", "I32", 0, [k / 8, n]), new(name + ".qzeros", "I32", 0, [k / 128, n / 8]),
        new(name + ".scales", "F16", 0, [k / 128, n]),
    ];

    // As Q4_K_M has it: some of attn_v and ffn_down in 6 bits.
    private static SyntheticTensor Gguf(string name, int n, int k, int layer)
    {
        bool better = layer % 2 == 0 && (name.Contains("attn_v") || name.Contains("ffn_down"));
        return better ? new(name, "Q6_K", 14, [n, k]) : new(name, "Q4_K", 12, [n, k]);
    }
}
