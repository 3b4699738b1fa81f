using LoraKernels.Checkpoints;
using LoraKernels.Cli.Commands.Demo;

namespace LoraKernels.Tests.Cli;

/// <summary>The demo's own files at a size for tests: written by the same code, in the same formats.</summary>
internal static class TinyFiles
{
    /// <summary>Widths that no tile divides.</summary>
    public static DecoderShape Shape { get; } = new("lorakernels/tiny", 72, 136, 24, 3, 1);

    public static DemoFiles Write(string cache) =>
        DemoFiles.Provide(new DemoCache(cache), Shape, fresh: false, static (_, _) => { }, CancellationToken.None);

    /// <summary>Writes an adapter of one module.</summary>
    public static void WriteAdapter(
        string folder, string module, long inFeatures, long outFeatures, int rank = 4, string? baseModel = "lorakernels/tiny") =>
        PeftAdapter.Write(folder, new LoraAdapter(
            Path.GetFileName(folder),
            [new LoraFactors(module, Matrix(rank, inFeatures), Matrix(outFeatures, rank), 2)],
            baseModel));

    /// <summary>Writes a model of several layers, each with one linear [72, 72].</summary>
    public static void WriteLayers(string folder, int layers)
    {
        using Device cpu = Device.OpenCpu();
        List<SafetensorsEntry> entries = [];
        for (int layer = 0; layer < layers; layer++)
        {
            float[] values = GaussianSource.Matrix((ulong)layer, 72, 72, 0.1f, CancellationToken.None);
            using DeviceTensor<float> weights = cpu.Upload<float>(values, 72, 72);
            using QuantizedWeight quantized = QuantizedWeight.Quantize(weights, QuantizeOptions.Nf4(nested: false));
            entries.AddRange(BitsAndBytesWriter.Entries($"model.layers.{layer}.q_proj", quantized.Unpack()));
        }
        Directory.CreateDirectory(folder);
        SafetensorsWriter.Write(Path.Combine(folder, "model.safetensors"), entries, new Dictionary<string, string>());
    }

    /// <summary>Writes an adapter that changes q_proj of several layers, one of them by factors of another shape.</summary>
    public static void WriteLayersAdapter(string folder, int layers, int wrongLayer = -1) => PeftAdapter.Write(
        folder,
        new LoraAdapter(
            Path.GetFileName(folder),
            Enumerable.Range(0, layers).Select(layer => new LoraFactors(
                $"model.layers.{layer}.q_proj", Matrix(4, layer == wrongLayer ? 80 : 72), Matrix(72, 4), 1))));

    private static HostMatrix Matrix(long rows, long columns) =>
        HostMatrix.From(GaussianSource.Matrix(1, rows, columns, 0.1f, CancellationToken.None), rows, columns);
}
