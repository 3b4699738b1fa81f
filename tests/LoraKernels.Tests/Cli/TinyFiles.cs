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

    private static HostMatrix Matrix(long rows, long columns) =>
        HostMatrix.From(GaussianSource.Matrix(1, rows, columns, 0.1f, CancellationToken.None), rows, columns);
}
