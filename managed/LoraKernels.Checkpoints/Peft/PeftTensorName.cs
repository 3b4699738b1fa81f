namespace LoraKernels.Checkpoints;

/// <summary>What a tensor of a PEFT file is to its module.</summary>
internal enum PeftPart
{
    /// <summary>A, [rank, in features].</summary>
    A,

    /// <summary>B, [out features, rank].</summary>
    B,

    /// <summary>The bias of B, [out features]: <c>lora_bias</c>.</summary>
    Bias,

    /// <summary>DoRA's m, [out features].</summary>
    Magnitude,

    /// <summary>A of an embedding, [rank, vocabulary].</summary>
    EmbeddingA,

    /// <summary>B of an embedding, [features, rank].</summary>
    EmbeddingB,

    /// <summary>The weight of a module that was trained in full.</summary>
    SavedWeight,

    /// <summary>The bias of a module that was trained in full.</summary>
    SavedBias,

    /// <summary>The base model's own copy of such a module, which changes nothing.</summary>
    Original,
}

/// <summary>
/// A tensor's name, taken apart: <c>base_model.model.MODULE.lora_A.weight</c> as PEFT and transformers save it, with the
/// adapter's name (<c>lora_A.default.weight</c>) and without the prefix as state dictionaries are dumped, and with what
/// torch.compile, FSDP, activation checkpointing and DDP put in between.
/// </summary>
/// <param name="Module">The module's name in the base model.</param>
/// <param name="Part">What the tensor is to it.</param>
/// <param name="Adapter">The adapter's name in the key, or null.</param>
/// <param name="Depth">
/// How many wrappers of the module's other parameters are around this one (<c>MODULE.base_layer.lora_A.weight</c>): PEFT puts
/// one around the other where <c>target_parameters</c> names several of a module.
/// </param>
internal readonly record struct PeftTensorName(string Module, PeftPart Part, string? Adapter, int Depth)
{
    /// <summary>What PEFT puts before a module's name.</summary>
    public const string Prefix = "base_model.model.";

    private const string BaseLayer = "base_layer";
    private const int MaxModuleLength = 1000;

    private static readonly string[] Wrappers =
        ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];

    /// <summary>Takes a name apart.</summary>
    /// <returns>What it means, or why it means nothing.</returns>
    public static (PeftTensorName? Name, string? Refusal) Parse(string name)
    {
        string[] parts = name.Split('.');
        int marker = Array.FindLastIndex(parts, IsMarker);
        if (marker < 0) marker = parts.Length - 1;
        string? refusal = Read(parts[marker], parts.AsSpan(marker + 1), out PeftPart part, out string? adapter);
        if (refusal is not null) return (null, refusal);
        int depth = 0;
        while (part is PeftPart.A or PeftPart.B && marker > depth && parts[marker - 1 - depth] == BaseLayer) depth++;
        string module = ModuleOf(parts.AsSpan(0, marker - depth));
        if (module.Length is 0 or > MaxModuleLength || module.Split('.').Contains("") || module.Any(char.IsControl))
            return (null, "names no module");
        if (depth == 0 && parts[marker - 1] == BaseLayer) return (null, "is a weight of the base model");
        return (new PeftTensorName(module, part, adapter, depth), null);
    }

    private static bool IsMarker(string part) => part is "lora_A" or "lora_B" or "lora_embedding_A" or "lora_embedding_B"
        or "lora_magnitude_vector" or "modules_to_save" or "original_module" or "trainable_tokens_delta";

    /// <summary>What stands behind the module's name.</summary>
    private static string? Read(string marker, ReadOnlySpan<string> rest, out PeftPart part, out string? adapter)
    {
        adapter = null;
        part = PeftPart.Original;
        switch (marker)
        {
            case "lora_A" or "lora_B":
                adapter = rest.Length == 2 ? rest[0] : null;
                if (rest.Length is 1 or 2 && rest[^1] == "weight")
                {
                    part = marker == "lora_A" ? PeftPart.A : PeftPart.B;
                    return null;
                }
                part = PeftPart.Bias;
                return rest.Length is 1 or 2 && rest[^1] == "bias" && marker == "lora_B" ? null : NoFactor;
            case "lora_embedding_A" or "lora_embedding_B":
                part = marker == "lora_embedding_A" ? PeftPart.EmbeddingA : PeftPart.EmbeddingB;
                adapter = rest.Length == 1 ? rest[0] : null;
                return rest.Length <= 1 ? null : NoFactor;
            case "lora_magnitude_vector":
                part = PeftPart.Magnitude;
                if (rest.Length > 0 && rest[^1] == "weight") rest = rest[..^1];
                adapter = rest.Length == 1 ? rest[0] : null;
                return rest.Length <= 1 ? null : NoFactor;
            case "modules_to_save":
                part = rest.Length > 0 && rest[^1] == "bias" ? PeftPart.SavedBias : PeftPart.SavedWeight;
                adapter = rest.Length == 2 ? rest[0] : null;
                return rest.Length is 1 or 2 && rest[^1] is "weight" or "bias" ? null : "is a part of a module trained in full "
                    + "that is neither its weight nor its bias";
            case "original_module":
                return null;
            case "weight" or "bias":
                part = marker == "weight" ? PeftPart.SavedWeight : PeftPart.SavedBias;
                return null;
            case "trainable_tokens_delta":
                return "holds single tokens' embeddings";
            default:
                return NoFactor;
        }
    }

    private const string NoFactor = "is no LoRA factor, bias, magnitude or module trained in full";

    private static string ModuleOf(ReadOnlySpan<string> parts)
    {
        var kept = new List<string>(parts.Length);
        foreach (string part in parts)
        {
            bool wrapper = Wrappers.Contains(part, StringComparer.Ordinal) || (kept.Count == 0 && part == "module");
            if (!wrapper) kept.Add(part);
        }
        string module = string.Join('.', kept) + ".";
        while (module.StartsWith(Prefix, StringComparison.Ordinal)) module = module[Prefix.Length..];
        return module.Length == 0 ? module : module[..^1];
    }
}
