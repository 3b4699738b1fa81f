using System.CommandLine;
using LoraKernels.Verification;

namespace LoraKernels.Cli.Commands.Verify;

/// <summary><c>lorakernels verify</c></summary>
internal sealed class VerifyCommand : CliCommand
{
    private readonly Option<string?> _device = DeviceOption();

    private readonly Option<bool> _all = new("--all") { Description = "List every case, not a line an op, format and type" };

    public VerifyCommand(CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base(
            "verify",
            "Compare every operation on a device with an independent float64 reference.",
            common,
            terminal,
            cancellation)
    {
        Options.Add(_device);
        Options.Add(_all);
    }

    public override IReadOnlyList<Example> Examples { get; } =
    [
        new("lorakernels verify", "every operation on the best device there is"),
        new("lorakernels verify --device cpu:reference", "the scalar path"),
        new("lorakernels verify --all", "case by case"),
        new("lorakernels verify --json | jq '.[] | select(.ok | not)'", "what fails, for a script"),
    ];

    protected override int Execute(ParseResult parsed)
    {
        IReadOnlyList<VerifyRow> rows;
        DeviceInfo info;
        using (ProgressLine progress = new(Terminal, "Opening the device", Cancellation))
        using (Device device = OpenDevice(parsed.GetValue(_device)))
        {
            info = device.Info;
            rows = [.. VerificationSuite.Run(device, new Watch(progress), null, Cancellation).Select(VerifyRow.Of)];
        }

        if (WantsJson(parsed))
            WriteJson(rows, CliJson.Default.IReadOnlyListVerifyRow);
        else
            VerifyView.Write(Terminal.Output, info, rows, parsed.GetValue(_all));
        return rows.Count > 0 && rows.All(static row => row.Ok) ? ExitCode.Ok : ExitCode.Failure;
    }

    // Progress<T> would report from another thread, after the line is gone.
    private sealed class Watch(ProgressLine line) : IProgress<VerificationProgress>
    {
        public void Report(VerificationProgress value) => line.Report(
            $"Verifying {value.Last.Op} {value.Last.Format} {value.Last.DType}", (double)value.Done / value.Total);
    }
}
