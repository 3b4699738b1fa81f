namespace LoraKernels.Cli.Commands.Demo;

/// <summary>The demo's own model and adapters, on disk.</summary>
/// <param name="Written">Whether this run wrote them.</param>
internal sealed record DemoFiles(string Folder, bool Written, double Seconds, long Bytes)
{
    private const string ModelFolder = "mistral-7b-layer-nf4";
    private const string AdaptersFolder = "adapters";

    // Quantizing the model is most of the work.
    private const double ModelShare = 0.8;

    public string Model => Path.Combine(Folder, ModelFolder);

    public string Adapters => Path.Combine(Folder, AdaptersFolder);

    /// <summary>Finds the files in the cache, or writes them.</summary>
    public static DemoFiles Provide(
        DemoCache cache, DecoderShape shape, bool fresh, Action<string, double> progress, CancellationToken cancellation)
    {
        if (!fresh && cache.TryOpen(out DemoStamp? found))
            return Of(cache, found!, written: false);

        DemoStamp written = cache.Write(folder =>
        {
            SyntheticModel.Write(
                Directory.CreateDirectory(Path.Combine(folder, ModelFolder)).FullName,
                shape,
                (text, fraction) => progress(text, fraction * ModelShare),
                cancellation);
            SyntheticAdapters.Write(
                Directory.CreateDirectory(Path.Combine(folder, AdaptersFolder)).FullName,
                shape,
                (text, fraction) => progress(text, ModelShare + (fraction * (1 - ModelShare))),
                cancellation);
        });
        return Of(cache, written, written: true);
    }

    private static DemoFiles Of(DemoCache cache, DemoStamp stamp, bool written) =>
        new(cache.Folder, written, stamp.WriteSeconds, stamp.Files.Sum(static file => file.Bytes));
}
