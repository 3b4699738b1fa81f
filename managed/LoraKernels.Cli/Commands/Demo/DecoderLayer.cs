using System.Globalization;
using System.Text.RegularExpressions;
using LoraKernels.Checkpoints;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary>A linear of the layer, on the device.</summary>
internal sealed record LayerLinear(string Name, WeightFormat Format, QuantizedWeight Weight, Linear Linear)
{
    public long OutFeatures => Weight.OutFeatures;

    public long InFeatures => Weight.InFeatures;

    public long Weights => OutFeatures * InFeatures;
}

/// <summary>The quantized linears of one decoder layer of a checkpoint, loaded onto a device.</summary>
internal sealed partial class DecoderLayer : IDisposable
{
    private DecoderLayer(int index, IReadOnlyList<LayerLinear> linears)
    {
        Index = index;
        Linears = linears;
    }

    public int Index { get; }

    public IReadOnlyList<LayerLinear> Linears { get; }

    /// <summary>Weights of all linears.</summary>
    public long Weights => Linears.Sum(static linear => linear.Weights);

    /// <summary>Device memory that they occupy.</summary>
    public long PackedBytes => Linears.Sum(static linear => linear.Weight.PackedBytes);

    /// <summary>What a table needs of the layer: DoRA's norms are those of its weights.</summary>
    public AdapterOptions ForAdapters => new()
    {
        BaseWeight = name => Linears.FirstOrDefault(linear => linear.Name == name)?.Weight,
    };

    public static DecoderLayer Load(
        Checkpoint checkpoint, int index, Device device, Action<string, double> progress, CancellationToken cancellation)
    {
        List<WeightInfo> weights = [.. checkpoint.Weights.Where(weight => LayerOf(weight.Name) == index)];
        if (weights.Count == 0)
            throw new CommandException(NoSuchLayer(checkpoint, index));

        List<LayerLinear> linears = [];
        try
        {
            foreach (WeightInfo info in weights)
            {
                cancellation.ThrowIfCancellationRequested();
                progress($"Loading {info.Name}", (double)linears.Count / weights.Count);
                QuantizedWeight weight = checkpoint.LoadWeight(info.Name, device);
                linears.Add(new LayerLinear(info.Name, info.Format, weight, new Linear(weight, info.Name)));
            }
            return new DecoderLayer(index, linears);
        }
        catch
        {
            foreach (LayerLinear linear in linears)
                linear.Weight.Dispose();
            throw;
        }
    }

    /// <summary>The number of the decoder layer that a weight belongs to, or null.</summary>
    public static int? LayerOf(string name) =>
        LayerNumber().Match(name) is { Success: true } match
            ? int.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture)
            : null;

    public void Dispose()
    {
        foreach (LayerLinear linear in Linears)
            linear.Weight.Dispose();
    }

    private static string NoSuchLayer(Checkpoint checkpoint, int index)
    {
        List<int> layers = [.. checkpoint.Weights.Select(weight => LayerOf(weight.Name)).OfType<int>().Distinct().Order()];
        return layers.Count == 0
            ? $"{checkpoint.Path} has no 4-bit weights of a decoder layer that this version reads. "
                + "`lorakernels inspect` lists what it has."
            : $"{checkpoint.Path} has no layer {index} in 4 bits; it has {layers[0]} ... {layers[^1]}.";
    }

    // Names come from files of unknown origin: the time is bounded, though no name can make this pattern slow.
    [GeneratedRegex(
        @"(^|\.)(layers|blk|h|blocks)\.(?<number>[0-9]{1,6})\.",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex LayerNumber();
}
