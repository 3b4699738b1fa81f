using System.Collections.Frozen;
using System.Globalization;

namespace LoraKernels.Checkpoints;

/// <summary>
/// The layers of a model by GGUF's names and by those of the original model, both ways: <c>blk.0.attn_q</c> is
/// <c>model.layers.0.self_attn.q_proj</c>. So a PEFT adapter is applied to a GGUF model, and a GGUF adapter to the original.
/// </summary>
/// <remarks>
/// For the architecture <c>llama</c>, llama.cpp's converter reorders the rows of Q and K, head by head, for its way of
/// rotating them: row h · d/2 + i of a head of d rows becomes row 2i + h. The rows of B, of a bias and of a magnitude go along.
/// </remarks>
public sealed class GgufModuleMap
{
    private const string Layers = "model.layers.";
    private const string Blocks = "blk.";

    private static readonly (string Gguf, string Original)[] Usual =
    [
        ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"), ("ffn_gate", "mlp.gate_proj"), ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ];

    private static readonly (string Gguf, string Original)[] Phi3 =
    [
        ("attn_qkv", "self_attn.qkv_proj"), ("attn_output", "self_attn.o_proj"), ("ffn_up", "mlp.gate_up_proj"),
        ("ffn_down", "mlp.down_proj"),
    ];

    private static readonly FrozenDictionary<string, (string Gguf, string Original)[]> Architectures =
        new Dictionary<string, (string Gguf, string Original)[]>(StringComparer.Ordinal)
        {
            ["llama"] = Usual,
            ["qwen2"] = Usual,
            ["qwen3"] = Usual,
            ["gemma"] = Usual,
            ["gemma2"] = Usual,
            ["gemma3"] = Usual,
            ["phi3"] = Phi3,
        }.ToFrozenDictionary(StringComparer.Ordinal);

    private readonly FrozenDictionary<string, string> _toOriginal;
    private readonly FrozenDictionary<string, string> _toGguf;
    private readonly long _heads;
    private readonly long _keyHeads;

    /// <summary>The map of an architecture.</summary>
    /// <param name="architecture">GGUF's <c>general.architecture</c>, such as "llama" (Mistral is one).</param>
    /// <param name="heads"><c>llama.attention.head_count</c>, 1 or more.</param>
    /// <param name="keyHeads"><c>llama.attention.head_count_kv</c>, 1 or more.</param>
    /// <exception cref="NotSupportedException">An architecture whose names are not known here; those known are listed.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A count below 1.</exception>
    public GgufModuleMap(string architecture, long heads, long keyHeads)
    {
        ArgumentException.ThrowIfNullOrEmpty(architecture);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(heads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(keyHeads);
        if (!Architectures.TryGetValue(architecture, out var names))
        {
            throw new NotSupportedException(
                $"the layers' names of the architecture '{architecture}' are not known; known are "
                + string.Join(", ", Architectures.Keys.Order(StringComparer.Ordinal)));
        }
        Architecture = architecture;
        _heads = heads;
        _keyHeads = keyHeads;
        _toOriginal = names.ToFrozenDictionary(n => n.Gguf, n => n.Original, StringComparer.Ordinal);
        _toGguf = names.ToFrozenDictionary(n => n.Original, n => n.Gguf, StringComparer.Ordinal);
    }

    /// <summary>GGUF's <c>general.architecture</c>.</summary>
    public string Architecture { get; }

    /// <summary>The map of a model's file, by its own metadata.</summary>
    /// <exception cref="CheckpointException">Its metadata names no architecture that is known, or no heads.</exception>
    public static GgufModuleMap Of(GgufFile model)
    {
        ArgumentNullException.ThrowIfNull(model);
        const string Key = "general.architecture";
        string architecture = model.Metadata.GetValueOrDefault(Key)?.AsText()
            ?? throw new CheckpointException(model.Path, Key, "is missing; expected the architecture's name");
        long heads = Heads(model, $"{architecture}.attention.head_count", null);
        long keyHeads = Heads(model, $"{architecture}.attention.head_count_kv", heads);
        try
        {
            return new GgufModuleMap(architecture, heads, keyHeads);
        }
        catch (NotSupportedException e)
        {
            throw new CheckpointException(model.Path, Key, e.Message, e);
        }
    }

    /// <summary>The original name of a layer, or null where GGUF's is not known.</summary>
    /// <param name="name">Such as <c>blk.0.attn_q</c>, <c>token_embd</c> or <c>output</c>.</param>
    public string? ToOriginal(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name switch
        {
            "token_embd" => "model.embed_tokens",
            "output" => "lm_head",
            _ => InLayer(name, Blocks, _toOriginal) is (int layer, string found)
                ? string.Create(CultureInfo.InvariantCulture, $"{Layers}{layer}.{found}")
                : null,
        };
    }

    /// <summary>GGUF's name of a layer, or null where the original one is not known.</summary>
    /// <param name="name">Such as <c>model.layers.0.self_attn.q_proj</c> or <c>lm_head</c>.</param>
    public string? ToGguf(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return name switch
        {
            "model.embed_tokens" => "token_embd",
            "lm_head" => "output",
            _ => InLayer(name, Layers, _toGguf) is (int layer, string found)
                ? string.Create(CultureInfo.InvariantCulture, $"{Blocks}{layer}.{found}")
                : null,
        };
    }

    /// <summary>An adapter of the original model as one of the GGUF model.</summary>
    /// <exception cref="AdapterMismatchException">Layers whose names are not known, or whose rows are no whole heads.</exception>
    public LoraAdapter ToGguf(LoraAdapter adapter) => Rename(adapter, ToGguf, toGguf: true);

    /// <summary>An adapter of the GGUF model as one of the original model.</summary>
    /// <exception cref="AdapterMismatchException">Layers whose names are not known, or whose rows are no whole heads.</exception>
    public LoraAdapter ToOriginal(LoraAdapter adapter) => Rename(adapter, ToOriginal, toGguf: false);

    private static (int Layer, string Name)? InLayer(string name, string prefix, FrozenDictionary<string, string> names)
    {
        if (!name.StartsWith(prefix, StringComparison.Ordinal)) return null;
        int dot = name.IndexOf('.', prefix.Length);
        if (dot < 0 || !names.TryGetValue(name[(dot + 1)..], out string? found)) return null;
        var number = name.AsSpan(prefix.Length..dot);
        bool plain = int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int layer)
            && (number.Length == 1 || number[0] != '0');
        return plain ? (layer, found) : null;
    }

    private LoraAdapter Rename(LoraAdapter adapter, Func<string, string?> rename, bool toGguf)
    {
        ArgumentNullException.ThrowIfNull(adapter);
        var mismatches = new List<string>();
        var factors = new List<LoraFactors>();
        foreach (var old in adapter.Factors)
        {
            if (rename(old.Module) is not { } name)
            {
                mismatches.Add($"module '{old.Module}' has no name that is known for the architecture '{Architecture}'");
                continue;
            }
            long heads = HeadsOf(toGguf ? name : old.Module);
            if (heads > 0 && old.B.Rows % (2 * heads) != 0)
            {
                mismatches.Add($"module '{old.Module}' has {old.B.Rows} output features, which are no {heads} heads of an even size");
                continue;
            }
            factors.Add(new LoraFactors(
                name, old.A, Reorder(old.B, heads, toGguf, byRows: true)!, old.Scale,
                Reorder(old.Bias, heads, toGguf, byRows: false), Reorder(old.Magnitude, heads, toGguf, byRows: false))
            {
                IsEmbedding = old.IsEmbedding,
            });
        }
        var saved = adapter.SavedModules
            .Select(module => new SavedModule(rename(module.Name) ?? module.Name, module.Weight, module.Bias));
        return mismatches.Count == 0
            ? new LoraAdapter(adapter.Name, factors, adapter.BaseModel, saved)
            : throw new AdapterMismatchException(adapter.Name, mismatches);
    }

    /// <summary>How many heads' rows are reordered; 0: none.</summary>
    private long HeadsOf(string gguf) => Architecture != "llama" ? 0
        : gguf.EndsWith(".attn_q", StringComparison.Ordinal) ? _heads
        : gguf.EndsWith(".attn_k", StringComparison.Ordinal) ? _keyHeads
        : 0;

    private static HostMatrix? Reorder(HostMatrix? matrix, long heads, bool toGguf, bool byRows)
    {
        if (matrix is null || heads == 0) return matrix;
        long rows = byRows ? matrix.Rows : matrix.Columns;
        int bytes = matrix.Data.Length / (int)rows;
        long half = rows / heads / 2;
        byte[] reordered = new byte[matrix.Data.Length];
        for (long row = 0; row < rows; row++)
        {
            long head = row / (2 * half), inHead = row % (2 * half);
            long gguf = head * 2 * half + inHead % half * 2 + inHead / half;
            var (from, to) = toGguf ? (row, gguf) : (gguf, row);
            matrix.Data.Span.Slice((int)(from * bytes), bytes).CopyTo(reordered.AsSpan((int)(to * bytes)));
        }
        return new HostMatrix(reordered, matrix.Rows, matrix.Columns, matrix.DType);
    }

    private static long Heads(GgufFile model, string key, long? otherwise)
    {
        if (!model.Metadata.TryGetValue(key, out var value) && otherwise is not null) return otherwise.Value;
        return value?.AsInteger() is > 0 and long heads ? heads
            : throw new CheckpointException(model.Path, key, $"is {value?.ToString() ?? "missing"}; expected a whole number above 0");
    }
}
