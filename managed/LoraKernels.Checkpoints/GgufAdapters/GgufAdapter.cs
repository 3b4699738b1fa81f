using LoraKernels.Checkpoints.IO;

namespace LoraKernels.Checkpoints;

/// <summary>
/// LoRA adapters as llama.cpp stores them: one GGUF file with <c>general.type</c> = <c>adapter</c>, <c>adapter.type</c> =
/// <c>lora</c> and tensors <c>blk.0.attn_q.weight.lora_a</c> and <c>.lora_b</c>, as <c>convert_lora_to_gguf.py</c> writes it.
/// </summary>
public static class GgufAdapter
{
    private const string TypeKey = "general.type";
    private const string KindKey = "adapter.type";
    private const string AlphaKey = "adapter.lora.alpha";
    private const string InvocationKey = "adapter.alora.invocation_tokens";
    private const string BaseKey = "general.base_model.0.repo_url";
    private const string SuffixA = ".weight.lora_a";
    private const string SuffixB = ".weight.lora_b";
    private const string TokenEmbedding = "token_embd";
    private const int MaxModuleLength = 1000;

    /// <summary>Whether a file is a GGUF file that says of itself that it is an adapter.</summary>
    /// <exception cref="CheckpointException">It cannot be opened, or is a malformed GGUF file.</exception>
    public static bool IsAdapter(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        using (var bytes = CheckpointFile.Open(path))
        {
            if (FileKind.Of(bytes) != FileKind.Gguf) return false;
        }
        using var file = GgufFile.Open(path);
        return file.Metadata.GetValueOrDefault(TypeKey)?.AsText() == "adapter";
    }

    /// <summary>Reads an adapter whole, or refuses it.</summary>
    /// <param name="path">The file; its name without extension becomes the adapter's.</param>
    /// <returns>
    /// Its updates by GGUF's names of the layers (<c>blk.0.attn_q</c>), in their order; <see cref="GgufModuleMap"/> gives the
    /// names of the original model. The scale is alpha / rank, or 1 where alpha is 0, as llama.cpp has it.
    /// </returns>
    /// <exception cref="CheckpointException">It is no GGUF adapter, malformed, or needs what is not supported.</exception>
    public static LoraAdapter Read(string path)
    {
        using var file = GgufFile.Open(path);
        Require(file, TypeKey, "adapter");
        Require(file, KindKey, "lora");
        if (file.Metadata.ContainsKey(InvocationKey))
        {
            throw new CheckpointException(file.Path, InvocationKey,
                "is set: the adapter is active from certain tokens on only, which cannot be applied");
        }
        double alpha = Alpha(file);
        var pairs = Pairs(file);
        // All is checked before anything is read.
        foreach (var (module, (a, b)) in pairs) Check(module, a, b);
        var factors = pairs.Select(pair => Factors(file, pair.Key, pair.Value.A!, pair.Value.B!, alpha));
        return new LoraAdapter(Path.GetFileNameWithoutExtension(file.Path), factors, BaseModel(file));
    }

    private static void Require(GgufFile file, string key, string expected)
    {
        string? found = file.Metadata.GetValueOrDefault(key)?.AsText();
        if (found == expected) return;
        throw new CheckpointException(file.Path, key,
            $"is {(found is null ? "missing" : CheckpointException.Quote(found))}; expected '{expected}'");
    }

    private static double Alpha(GgufFile file)
    {
        object value = file.Metadata.GetValueOrDefault(AlphaKey)?.Value ?? 0f;
        double alpha = value switch
        {
            float v => v,
            double v => v,
            _ => double.NaN,
        };
        return double.IsFinite(alpha) ? alpha
            : throw new CheckpointException(file.Path, AlphaKey, $"is {file.Metadata[AlphaKey]}; expected a finite float");
    }

    /// <summary>The last two parts of the model's address: organization and name.</summary>
    private static string? BaseModel(GgufFile file)
    {
        string[]? parts = file.Metadata.GetValueOrDefault(BaseKey)?.AsText()?.TrimEnd('/').Split('/');
        return parts is null || parts[^1].Length == 0 ? null : string.Join('/', parts.TakeLast(2));
    }

    private static SortedDictionary<string, (TensorInfo? A, TensorInfo? B)> Pairs(GgufFile file)
    {
        var pairs = new SortedDictionary<string, (TensorInfo? A, TensorInfo? B)>(StringComparer.Ordinal);
        foreach (var tensor in file.Tensors)
        {
            bool isA = tensor.Name.EndsWith(SuffixA, StringComparison.Ordinal);
            int end = tensor.Name.Length - SuffixA.Length;
            bool known = (isA || tensor.Name.EndsWith(SuffixB, StringComparison.Ordinal)) && end is > 0 and <= MaxModuleLength
                && !tensor.Name.Any(char.IsControl);
            if (!known)
            {
                throw new CheckpointException(tensor.File, tensor.Name,
                    $"is no LoRA factor of a linear layer; expected <layer>{SuffixA} and {SuffixB}");
            }
            string module = tensor.Name[..end];
            var (a, b) = pairs.GetValueOrDefault(module);
            pairs[module] = isA ? (tensor, b) : (a, tensor);
        }
        return pairs.Count > 0 ? pairs : throw new CheckpointException(file.Path, null, "holds no LoRA factors");
    }

    private static void Check(string module, TensorInfo? a, TensorInfo? b)
    {
        if (a is null || b is null)
        {
            throw new CheckpointException((a ?? b)!.File, (a ?? b)!.Name,
                $"has no partner {module}{(a is null ? SuffixA : SuffixB)}");
        }
        foreach (var tensor in (TensorInfo[])[a, b])
        {
            if (PeftAdapter.DTypeOf(tensor.Type) is null)
                throw new CheckpointException(tensor.File, tensor.Name, $"is {tensor.Type}; expected F32, F16 or BF16");
            if (tensor.Shape.Count != 2 || tensor.Shape[0] == 0 || tensor.Shape[1] == 0)
            {
                throw new CheckpointException(tensor.File, tensor.Name,
                    $"has the shape {tensor.ShapeText}; expected two dimensions of 1 or more");
            }
        }
        long rank = b.Shape[1];
        if (rank > PeftAdapter.MaxRank)
            throw new CheckpointException(b.File, b.Name, $"has rank {rank} in {b.ShapeText}; at most {PeftAdapter.MaxRank} is allowed");
        long ofA = a.Shape[IsEmbedding(module) ? 1 : 0];
        if (ofA != rank)
            throw new CheckpointException(b.File, b.Name, $"has rank {rank} in {b.ShapeText}, but its A {a.ShapeText} has {ofA}");
    }

    private static bool IsEmbedding(string module) => module == TokenEmbedding;

    private static LoraFactors Factors(GgufFile file, string module, TensorInfo a, TensorInfo b, double alpha)
    {
        long rank = b.Shape[1];
        float scale = alpha == 0 ? 1 : (float)(alpha / rank);
        if (!float.IsFinite(scale))
            throw new CheckpointException(file.Path, AlphaKey, $"gives {CheckpointException.Quote(module)} a scale that is no finite number");
        // llama.cpp looks tokens up in the embedding's A, which therefore lies token by token.
        HostMatrix matrixA = IsEmbedding(module) ? Transposed(Matrix(file, a)) : Matrix(file, a);
        return new LoraFactors(module, matrixA, Matrix(file, b), scale) { IsEmbedding = IsEmbedding(module) };
    }

    private static HostMatrix Matrix(GgufFile file, TensorInfo tensor) =>
        new(file.Read(tensor.Name), tensor.Shape[0], tensor.Shape[1], PeftAdapter.DTypeOf(tensor.Type)!.Value);

    private static HostMatrix Transposed(HostMatrix matrix)
    {
        int size = matrix.DType == DType.Float32 ? sizeof(float) : sizeof(ushort);
        byte[] transposed = new byte[matrix.Data.Length];
        ReadOnlySpan<byte> from = matrix.Data.Span;
        for (long r = 0; r < matrix.Rows; r++)
        {
            for (long c = 0; c < matrix.Columns; c++)
            {
                from.Slice((int)((r * matrix.Columns + c) * size), size)
                    .CopyTo(transposed.AsSpan((int)((c * matrix.Rows + r) * size)));
            }
        }
        return new HostMatrix(transposed, matrix.Columns, matrix.Rows, matrix.DType);
    }
}
