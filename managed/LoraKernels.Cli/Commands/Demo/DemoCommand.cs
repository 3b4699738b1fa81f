using System.CommandLine;

namespace LoraKernels.Cli.Commands.Demo;

/// <summary><c>lorakernels demo</c></summary>
internal sealed class DemoCommand : CliCommand
{
    private readonly Option<string?> _model = new("--model")
    {
        Description = "A checkpoint with 4-bit weights: a folder or a file; the demo's own if not given",
        HelpName = "FOLDER|FILE",
    };

    private readonly Option<string?> _adapters = new("--adapters")
    {
        Description = "A PEFT folder, or a folder of PEFT folders; the demo's own if not given",
        HelpName = "FOLDER",
    };

    private readonly Option<int> _layer = IntegerOption("--layer", "N", "The decoder layer to run", 0, 999_999, 0);

    private readonly Option<int> _rows = IntegerOption("--rows", "M", "Requests in the batch", 1, 4096, 32);

    private readonly Option<string> _dtype = new("--dtype")
    {
        Description = "The type of the activations",
        DefaultValueFactory = static _ => "fp16",
    };

    private readonly Option<bool> _anyBase = new("--any-base")
    {
        Description = "Take adapters that name another base model, if their modules and shapes fit",
    };

    private readonly Option<string?> _cache = new("--cache")
    {
        Description = "Where the demo's own files are kept",
        HelpName = "FOLDER",
    };

    private readonly Option<bool> _fresh = new("--fresh") { Description = "Write the demo's own files again" };

    private readonly Option<string?> _device = DeviceOption();

    public DemoCommand(CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base(
            "demo",
            "Run a batch of requests for many adapters through a 4-bit decoder layer, and check every row.",
            common,
            terminal,
            cancellation)
    {
        _dtype.AcceptOnlyFromAmong("fp32", "fp16", "bf16");
        Validators.Add(result =>
        {
            if (result.GetResult(_model) is not null && result.GetResult(_adapters) is null)
                result.AddError("--model needs --adapters: the demo's own adapters fit its own model only.");
        });

        Options.Add(_device);
        Options.Add(_rows);
        Options.Add(_dtype);
        Options.Add(_model);
        Options.Add(_layer);
        Options.Add(_adapters);
        Options.Add(_anyBase);
        Options.Add(_cache);
        Options.Add(_fresh);
    }

    public override IReadOnlyList<Example> Examples { get; } =
    [
        new("lorakernels demo", "32 requests for 25 adapters on a Mistral-7B-shaped layer, written on the first run"),
        new("lorakernels demo --rows 8 --dtype bf16", "8 requests, activations in bf16"),
        new("lorakernels demo --model mistral-7b-nf4/ --layer 12 --adapters my-adapters/", "your own model and adapters"),
        new("lorakernels demo --json > demo.json", "the figures for a script"),
    ];

    protected override int Execute(ParseResult parsed)
    {
        DemoOptions options = new(
            parsed.GetValue(_device),
            parsed.GetValue(_model),
            parsed.GetValue(_adapters),
            parsed.GetValue(_layer),
            parsed.GetValue(_rows),
            parsed.GetValue(_anyBase),
            parsed.GetValue(_cache),
            parsed.GetValue(_fresh));
        DemoReport report;
        using (ProgressLine progress = new(Terminal, "Opening the device", Cancellation))
        {
            report = parsed.GetValue(_dtype) switch
            {
                "fp32" => Run(ActivationType.Float32),
                "bf16" => Run(ActivationType.BFloat16),
                _ => Run(ActivationType.Float16),
            };

            DemoReport Run<T>(ActivationType<T> type)
                where T : unmanaged
            {
                using Device device = OpenDevice(options.Device);
                return DemoRun.Run(device, options, type, (text, fraction) => progress.Report(text, fraction), Cancellation);
            }
        }

        if (WantsJson(parsed))
            WriteJson(report, CliJson.Default.DemoReport);
        else
            DemoView.Write(Terminal.Output, report);
        return report.Ok ? ExitCode.Ok : ExitCode.Failure;
    }
}
