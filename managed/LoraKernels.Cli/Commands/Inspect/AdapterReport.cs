using System.Text.Json.Serialization;
using LoraKernels.Cli.Views;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary>What <c>inspect --json</c> prints for an adapter.</summary>
/// <param name="Kind">"adapter".</param>
/// <param name="Container">"PEFT" or "GGUF".</param>
/// <param name="SavedModules">Layers that it replaces in full.</param>
internal sealed record AdapterReport(
    string Kind,
    string Container,
    string Path,
    string Name,
    string? BaseModel,
    IReadOnlyList<InspectedModule> Modules,
    IReadOnlyList<InspectedSavedModule> SavedModules,
    long Parameters,
    long Bytes)
{
    public static AdapterReport Of(string container, string path, LoraAdapter adapter)
    {
        InspectedModule[] modules = [.. adapter.Factors.Select(static factors => new InspectedModule(
            factors.Module,
            KindOf(factors),
            factors.Rank,
            factors.Scale,
            FormatNames.Of(factors.A.DType),
            factors.A.Columns,
            factors.B.Rows,
            factors.Bytes))];
        InspectedSavedModule[] saved = [.. adapter.SavedModules.Select(static module => new InspectedSavedModule(
            module.Name, FormatNames.Of(module.Weight.DType), module.Weight.Rows, module.Weight.Columns,
            module.Bias is not null, module.Bytes))];
        return new AdapterReport(
            "adapter",
            container,
            path,
            adapter.Name,
            adapter.BaseModel,
            modules,
            saved,
            modules.Sum(static module => module.Rank * (module.InFeatures + module.OutFeatures)),
            adapter.Bytes);
    }

    private static string KindOf(LoraFactors factors) => factors switch
    {
        { IsEmbedding: true } => "embedding",
        { Magnitude: not null } => "dora",
        { Bias: not null } => "lora + bias",
        _ => "lora",
    };
}

/// <param name="Kind">"lora", "lora + bias", "dora" or "embedding".</param>
/// <param name="Scale">What the update is multiplied by: alpha / rank, or alpha / sqrt(rank) for rsLoRA.</param>
internal sealed record InspectedModule(
    string Name,
    string Kind,
    long Rank,
    float Scale,
    [property: JsonPropertyName("dtype")] string DType,
    long InFeatures,
    long OutFeatures,
    long Bytes);

/// <param name="Rows">Out features; of an embedding the vocabulary; 1 of a norm.</param>
internal sealed record InspectedSavedModule(
    string Name, [property: JsonPropertyName("dtype")] string DType, long Rows, long Columns, bool Bias, long Bytes);
