using System.Text.Json.Serialization;
using LoraKernels.Cli.Views;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary>What <c>inspect --json</c> prints for a PEFT adapter.</summary>
/// <param name="Kind">"adapter".</param>
internal sealed record AdapterReport(
    string Kind,
    string Path,
    string Name,
    string? BaseModel,
    IReadOnlyList<InspectedModule> Modules,
    long Parameters,
    long Bytes)
{
    public static AdapterReport Of(string folder, LoraAdapter adapter)
    {
        InspectedModule[] modules = [.. adapter.Factors.Select(static factors => new InspectedModule(
            factors.Module,
            factors.Rank,
            factors.Scale,
            FormatNames.Of(factors.A.DType),
            factors.A.Columns,
            factors.B.Rows,
            factors.A.Data.Length + factors.B.Data.Length))];
        return new AdapterReport(
            "adapter",
            folder,
            adapter.Name,
            adapter.BaseModel,
            modules,
            modules.Sum(static module => module.Rank * (module.InFeatures + module.OutFeatures)),
            adapter.Bytes);
    }
}

/// <param name="Scale">What the update is multiplied by: alpha / rank, or alpha / sqrt(rank) for rsLoRA.</param>
internal sealed record InspectedModule(
    string Name,
    long Rank,
    float Scale,
    [property: JsonPropertyName("dtype")] string DType,
    long InFeatures,
    long OutFeatures,
    long Bytes);
