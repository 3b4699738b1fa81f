namespace LoraKernels.Checkpoints;

/// <summary>The tensors of a PEFT file, module by module. All is checked before anything is read.</summary>
internal sealed class PeftModules
{
    private const int NamesInMessages = 8;

    private readonly PeftConfig _config;
    private readonly SafetensorsFile _weights;

    private readonly SortedDictionary<string, SortedDictionary<PeftPart, TensorInfo>> _modules =
        new(StringComparer.Ordinal);

    // Modules whose parameters are changed, not themselves: a wrapper around another one comes before it.
    private readonly SortedDictionary<string, SortedDictionary<int, SortedDictionary<PeftPart, TensorInfo>>> _wrapped =
        new(StringComparer.Ordinal);

    private readonly PeftParameters _parameters;

    /// <summary>Sorts a file's tensors and refuses those that would have to be left out, all of them by name.</summary>
    /// <exception cref="CheckpointException">A tensor that means nothing, stands there twice or lacks its partner.</exception>
    public PeftModules(PeftConfig config, SafetensorsFile weights)
    {
        _config = config;
        _weights = weights;
        Sort();
        RequireFloats(_wrapped.Values.SelectMany(wrappers => wrappers.Values).SelectMany(parts => parts.Values));
        _parameters = new PeftParameters(config, weights, _wrapped);
        if (_modules.Count + _wrapped.Count == 0) throw new CheckpointException(weights.Path, null, "holds no LoRA factors");
        foreach (var (module, parts) in _modules) Check(module, parts);
    }

    /// <summary>The updates, in the order of their modules' names.</summary>
    public IEnumerable<LoraFactors> ReadFactors() =>
        ReadModules().Concat(_parameters.ReadFactors()).OrderBy(factors => factors.Module, StringComparer.Ordinal);

    private IEnumerable<LoraFactors> ReadModules()
    {
        foreach (var (module, parts) in _modules)
        {
            bool isEmbedding = parts.ContainsKey(PeftPart.EmbeddingA);
            if (!isEmbedding && !parts.ContainsKey(PeftPart.A)) continue;
            TensorInfo a = parts[isEmbedding ? PeftPart.EmbeddingA : PeftPart.A];
            TensorInfo b = parts[isEmbedding ? PeftPart.EmbeddingB : PeftPart.B];
            yield return new LoraFactors(
                module, Matrix(a), Matrix(b), _config.ScaleOf(module, a.Shape[0]), Vector(parts, PeftPart.Bias),
                Vector(parts, PeftPart.Magnitude))
            {
                IsEmbedding = isEmbedding,
            };
        }
    }

    /// <summary>The modules that were trained in full.</summary>
    public IEnumerable<SavedModule> ReadSavedModules()
    {
        foreach (var (module, parts) in _modules)
        {
            if (parts.TryGetValue(PeftPart.SavedWeight, out var weight))
                yield return new SavedModule(module, Matrix(weight), Vector(parts, PeftPart.SavedBias));
        }
    }

    private void Sort()
    {
        var refusals = new List<(TensorInfo Tensor, string Reason)>();
        var adapters = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var tensor in _weights.Tensors)
        {
            var (name, refusal) = PeftTensorName.Parse(tensor.Name);
            if (name is null)
            {
                refusals.Add((tensor, refusal!));
                continue;
            }
            if (name.Value.Part == PeftPart.Original) continue;
            if (name.Value.Adapter is { } adapter) adapters.Add(adapter);
            var parts = PartsOf(name.Value);
            if (!parts.TryAdd(name.Value.Part, tensor))
            {
                refusals.Add((tensor, $"is what {CheckpointException.Quote(parts[name.Value.Part].Name)} is: the "
                    + $"{name.Value.Part} of {CheckpointException.Quote(name.Value.Module)}"));
            }
        }
        if (adapters.Count > 1)
        {
            throw new CheckpointException(_weights.Path, null,
                $"holds {adapters.Count} adapters ({Quoted(adapters)}); save each in a folder of its own");
        }
        if (refusals.Count == 0) return;
        string others = refusals.Count == 1 ? ""
            : $"; so are {refusals.Count - 1} others: {Quoted(refusals.Skip(1).Select(r => r.Tensor.Name))}";
        throw new CheckpointException(_weights.Path, refusals[0].Tensor.Name,
            $"{refusals[0].Reason}, which cannot be read{others}; expected {PeftTensorName.Prefix}<module>.lora_A.weight and "
            + ".lora_B.weight");
    }

    /// <summary>Where a tensor belongs.</summary>
    private SortedDictionary<PeftPart, TensorInfo> PartsOf(PeftTensorName name)
    {
        bool wrapped = name.Depth > 0
            || (name.Part is PeftPart.A or PeftPart.B && _config.ParametersOf(name.Module).Length > 0);
        SortedDictionary<PeftPart, TensorInfo>? parts;
        if (!wrapped)
        {
            if (!_modules.TryGetValue(name.Module, out parts)) _modules.Add(name.Module, parts = []);
            return parts;
        }
        if (!_wrapped.TryGetValue(name.Module, out var wrappers)) _wrapped.Add(name.Module, wrappers = []);
        if (!wrappers.TryGetValue(name.Depth, out parts)) wrappers.Add(name.Depth, parts = []);
        return parts;
    }

    private static void RequireFloats(IEnumerable<TensorInfo> tensors)
    {
        foreach (var tensor in tensors)
        {
            if (PeftAdapter.DTypeOf(tensor.Type) is null)
                throw Error(tensor, $"is {tensor.Type}; expected F32, F16 or BF16");
        }
    }

    private void Check(string module, SortedDictionary<PeftPart, TensorInfo> parts)
    {
        RequireFloats(parts.Values);
        Pair(module, parts, PeftPart.A, PeftPart.B, ".lora_A.weight", ".lora_B.weight");
        Pair(module, parts, PeftPart.EmbeddingA, PeftPart.EmbeddingB, ".lora_embedding_A", ".lora_embedding_B");
        Alone(module, parts, PeftPart.A, PeftPart.EmbeddingA);
        Alone(module, parts, PeftPart.A, PeftPart.SavedWeight);
        Alone(module, parts, PeftPart.EmbeddingA, PeftPart.SavedWeight);
        CheckVector(module, parts, PeftPart.Bias, "lora_bias", _config.HasBias);
        CheckVector(module, parts, PeftPart.Magnitude, "use_dora", _config.UsesDora);
        CheckSaved(parts);
    }

    private void Pair(
        string module, SortedDictionary<PeftPart, TensorInfo> parts, PeftPart partA, PeftPart partB, string suffixA,
        string suffixB)
    {
        parts.TryGetValue(partA, out var a);
        parts.TryGetValue(partB, out var b);
        if (a is null && b is null) return;
        if (a is null || b is null)
        {
            throw Error((a ?? b)!,
                $"has no partner {PeftTensorName.Prefix}{module}{(a is null ? suffixA : suffixB)}");
        }
        RequireMatrix(a);
        RequireMatrix(b);
        long rank = a.Shape[0];
        if (rank > PeftAdapter.MaxRank)
            throw Error(a, $"has rank {rank} in {a.ShapeText}; at most {PeftAdapter.MaxRank} is allowed");
        if (b.Shape[1] != rank)
            throw Error(b, $"has rank {b.Shape[1]} in {b.ShapeText}, but its A {a.ShapeText} has {rank}");
        if (_config.RankOf(module) != rank)
        {
            throw Error(a, $"has rank {rank} in {a.ShapeText}, but {PeftConfig.FileName} gives the module "
                + $"r = {_config.RankOf(module)}");
        }
    }

    /// <summary>A module has one kind of update.</summary>
    private static void Alone(
        string module, SortedDictionary<PeftPart, TensorInfo> parts, PeftPart one, PeftPart other)
    {
        if (parts.TryGetValue(one, out var tensor) && parts.TryGetValue(other, out var second))
        {
            throw Error(second,
                $"changes {CheckpointException.Quote(module)}, as {CheckpointException.Quote(tensor.Name)} does; expected one");
        }
    }

    private static void CheckVector(
        string module, SortedDictionary<PeftPart, TensorInfo> parts, PeftPart part, string field, bool expected)
    {
        parts.TryGetValue(PeftPart.B, out var b);
        if (!parts.TryGetValue(part, out var vector))
        {
            if (expected && b is not null)
                throw Error(b, $"has no {part} beside it, but {PeftConfig.FileName} has {field}: true");
            return;
        }
        if (b is null)
            throw Error(vector, $"is the {part} of {CheckpointException.Quote(module)}, which has no lora_A and lora_B of a linear");
        if (!expected) throw Error(vector, $"is the {part}, but {PeftConfig.FileName} does not have {field}: true");
        if (Length(vector) != b.Shape[0])
            throw Error(vector, $"has the shape {vector.ShapeText}; its B {b.ShapeText} needs [{b.Shape[0]}]");
    }

    private static void CheckSaved(SortedDictionary<PeftPart, TensorInfo> parts)
    {
        if (parts.TryGetValue(PeftPart.SavedWeight, out var weight) && weight.Shape.Count is not (1 or 2))
            throw Error(weight, $"has the shape {weight.ShapeText}; expected one or two dimensions");
        if (!parts.TryGetValue(PeftPart.SavedBias, out var bias)) return;
        if (weight is null)
            throw Error(bias, "is a changed bias of the base model, without a weight, which cannot be read");
        if (Length(bias) != weight.Shape[0])
            throw Error(bias, $"has the shape {bias.ShapeText}; its weight {weight.ShapeText} needs [{weight.Shape[0]}]");
    }

    internal static void RequireMatrix(TensorInfo tensor)
    {
        if (tensor.Shape.Count == 2 && tensor.Shape[0] > 0 && tensor.Shape[1] > 0) return;
        throw Error(tensor, $"has the shape {tensor.ShapeText}; expected two dimensions of 1 or more");
    }

    /// <summary>The length of [n], [1, n] or [n, 1]; -1 for any other shape.</summary>
    private static long Length(TensorInfo tensor) => tensor.Shape switch
    {
        [var n] => n,
        [1, var n] => n,
        [var n, 1] => n,
        _ => -1,
    };

    private HostMatrix Matrix(TensorInfo tensor) => tensor.Shape.Count == 1
        ? new(_weights.Read(tensor.Name), 1, tensor.Shape[0], PeftAdapter.DTypeOf(tensor.Type)!.Value)
        : new(_weights.Read(tensor.Name), tensor.Shape[0], tensor.Shape[1], PeftAdapter.DTypeOf(tensor.Type)!.Value);

    private HostMatrix? Vector(SortedDictionary<PeftPart, TensorInfo> parts, PeftPart part) =>
        parts.TryGetValue(part, out var tensor)
            ? new(_weights.Read(tensor.Name), 1, Length(tensor), PeftAdapter.DTypeOf(tensor.Type)!.Value)
            : null;

    private static string Quoted(IEnumerable<string> names)
    {
        string[] all = [.. names];
        return string.Join(", ", all.Take(NamesInMessages).Select(CheckpointException.Quote))
            + (all.Length > NamesInMessages ? $" and {all.Length - NamesInMessages} more" : "");
    }

    private static CheckpointException Error(TensorInfo tensor, string reason) => new(tensor.File, tensor.Name, reason);
}
