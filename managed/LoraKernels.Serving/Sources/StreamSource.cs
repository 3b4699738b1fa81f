using LoraKernels.Checkpoints;

namespace LoraKernels.Serving;

/// <summary>
/// A PEFT adapter's two files as streams, through a temporary folder: the readers take files, which they read in
/// places.
/// </summary>
internal sealed record StreamSource(
    string Name,
    Func<CancellationToken, ValueTask<Stream>> OpenConfig,
    Func<CancellationToken, ValueTask<Stream>> OpenWeights) : IAdapterSource
{
    public async ValueTask<LoraAdapter> ReadAsync(CancellationToken cancellationToken)
    {
        string folder = Directory.CreateTempSubdirectory("lorakernels-adapter-").FullName;
        try
        {
            await CopyAsync(OpenConfig, folder, "adapter_config.json", cancellationToken).ConfigureAwait(false);
            await CopyAsync(OpenWeights, folder, "adapter_model.safetensors", cancellationToken).ConfigureAwait(false);
            LoraAdapter read = PeftAdapter.Read(folder);
            return new LoraAdapter(Name, read.Factors, read.BaseModel, read.SavedModules);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task CopyAsync(
        Func<CancellationToken, ValueTask<Stream>> open, string folder, string file, CancellationToken cancellationToken)
    {
        Stream source = await open(cancellationToken).ConfigureAwait(false);
        await using (source.ConfigureAwait(false))
        {
            FileStream copy = File.Create(Path.Combine(folder, file));
            await using (copy.ConfigureAwait(false))
                await source.CopyToAsync(copy, cancellationToken).ConfigureAwait(false);
        }
    }
}
