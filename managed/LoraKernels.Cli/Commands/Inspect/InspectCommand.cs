using System.CommandLine;
using LoraKernels.Checkpoints;

namespace LoraKernels.Cli.Commands.Inspect;

/// <summary><c>lorakernels inspect</c></summary>
internal sealed class InspectCommand : CliCommand
{
    private const string AdapterConfig = "adapter_config.json";
    private const string AdapterWeights = "adapter_model.safetensors";

    private readonly Argument<string> _path = new("path")
    {
        Description = "A checkpoint (.safetensors, .gguf, or the folder of one), a PEFT adapter's folder, or a GGUF adapter",
        HelpName = "FILE|FOLDER",
    };

    private readonly Option<bool> _all = new("--all") { Description = "List every layer, not layers of one shape in one line" };

    public InspectCommand(CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base("inspect", "Show what a checkpoint or an adapter holds, without loading it.", common, terminal, cancellation)
    {
        Arguments.Add(_path);
        Options.Add(_all);
    }

    public override IReadOnlyList<Example> Examples { get; } =
    [
        new("lorakernels inspect mistral-7b-nf4/", "formats, shapes, group sizes and bytes of a checkpoint"),
        new("lorakernels inspect model.gguf --all", "every tensor"),
        new("lorakernels inspect my-adapter/", "modules, ranks and scales of a PEFT adapter"),
        new("lorakernels inspect my-adapter.gguf", "the same of an adapter for llama.cpp"),
        new("lorakernels inspect my-adapter/ --json", "the same for a script"),
    ];

    protected override int Execute(ParseResult parsed)
    {
        string path = Path.GetFullPath(parsed.GetRequiredValue(_path));
        if (!File.Exists(path) && !Directory.Exists(path))
            throw new CommandException($"There is no file or folder {path}.");

        bool json = WantsJson(parsed), all = parsed.GetValue(_all);
        if (ReadAdapter(path) is { } report)
        {
            if (json)
                WriteJson(report, CliJson.Default.AdapterReport);
            else
                AdapterView.Write(Terminal.Output, report, all);
        }
        else
        {
            using Checkpoint checkpoint = Checkpoint.Open(path);
            CheckpointReport contents = CheckpointReport.Of(checkpoint);
            if (json)
                WriteJson(contents, CliJson.Default.CheckpointReport);
            else
                CheckpointView.Write(Terminal.Output, contents, all);
        }
        return ExitCode.Ok;
    }

    private static AdapterReport? ReadAdapter(string path)
    {
        if (AdapterFolderOf(path) is { } folder)
            return AdapterReport.Of("PEFT", folder, PeftAdapter.Read(folder));
        return File.Exists(path) && GgufAdapter.IsAdapter(path)
            ? AdapterReport.Of("GGUF", path, GgufAdapter.Read(path))
            : null;
    }

    private static string? AdapterFolderOf(string path)
    {
        string? folder = Path.GetFileName(path) is AdapterConfig or AdapterWeights ? Path.GetDirectoryName(path) : path;
        return folder is not null && File.Exists(Path.Combine(folder, AdapterConfig)) ? folder : null;
    }
}
