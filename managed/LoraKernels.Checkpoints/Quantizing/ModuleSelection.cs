using System.IO.Enumeration;

namespace LoraKernels.Checkpoints;

/// <summary>
/// Which modules of a model are quantized: its matrices named <c>.weight</c>, but for those that are no linears or are
/// kept by custom. Patterns are globs (<c>*</c>, <c>?</c>) of a module's name, or of its end from a dot on:
/// <c>lm_head</c>, <c>mlp.*</c>, <c>model.layers.0.*</c>.
/// </summary>
public sealed class ModuleSelection
{
    private const string Weight = ".weight";

    /// <summary>What is kept unless included by name: output and input embeddings, norms, routers of experts.</summary>
    public static IReadOnlyList<string> KeptByDefault { get; } =
    [
        "lm_head", "*embed*", "wte", "wpe", "shared", "*norm*", "ln_?", "ln_f", "gate", "router", "score", "classifier",
        "relative_attention_bias",
    ];

    /// <summary>Only modules that one of these matches, also where they are kept by default; all when empty.</summary>
    public IReadOnlyList<string> Include { get; init; } = [];

    /// <summary>No module that one of these matches.</summary>
    public IReadOnlyList<string> Exclude { get; init; } = [];

    /// <summary>The module whose weight a tensor is, or null when it is no matrix of numbers with that name.</summary>
    internal static string? ModuleOf(TensorInfo tensor) =>
        tensor.Shape.Count == 2 && tensor.Name.Length > Weight.Length
        && tensor.Name.EndsWith(Weight, StringComparison.Ordinal) && PeftAdapter.DTypeOf(tensor.Type) is not null
            ? tensor.Name[..^Weight.Length]
            : null;

    /// <summary>Why a module is not quantized; null when it is.</summary>
    internal string? Refusal(string module)
    {
        if (First(Exclude, module) is { } excluded) return $"excluded by '{excluded}'";
        if (Include.Count > 0) return First(Include, module) is null ? "not included" : null;
        return First(KeptByDefault, module) is { } kept ? $"kept by default: '{kept}'" : null;
    }

    private static string? First(IReadOnlyList<string> patterns, string module) =>
        patterns.FirstOrDefault(p => Matches(p, module) || Matches("*." + p, module));

    private static bool Matches(string pattern, string module) =>
        FileSystemName.MatchesSimpleExpression(pattern, module, ignoreCase: false);
}
