using LoraKernels.Checkpoints;
using LoraKernels.Cli.Views;

namespace LoraKernels.Cli.Commands.Quantize;

/// <summary>What <c>quantize</c> says, also as JSON. Errors are those of <see cref="QuantizationError"/>.</summary>
internal sealed record QuantizeReport(
    string Model, string Output, string Format, long GroupSize, bool ZeroPoints, long SourceBytes, long Bytes,
    IReadOnlyList<QuantizedModuleRow> Modules, IReadOnlyList<KeptModule> Kept)
{
    public static QuantizeReport Of(string model, string output, QuantizeOptions options, QuantizedModel result) => new(
        model, output, FormatNames.Of(options.Format, options.OuterGroupSize > 0), options.GroupSize,
        options.HasZeroPoints, result.SourceBytes, result.Bytes, [.. result.Modules.Select(QuantizedModuleRow.Of)],
        result.Kept);
}

/// <summary>One module of a <see cref="QuantizeReport"/>.</summary>
internal sealed record QuantizedModuleRow(
    string Name, long OutFeatures, long InFeatures, long SourceBytes, long Bytes, double MaxAbsolute,
    double RelativeRms, double WorstGroupRelativeRms, long WorstGroupRow, long WorstGroupColumn)
{
    public static QuantizedModuleRow Of(QuantizedModule module) => new(
        module.Name, module.OutFeatures, module.InFeatures, module.SourceBytes, module.Bytes, module.Error.MaxAbsolute,
        module.Error.RelativeRms, module.Error.WorstRelativeRms, module.Error.WorstRow, module.Error.WorstColumn);
}
