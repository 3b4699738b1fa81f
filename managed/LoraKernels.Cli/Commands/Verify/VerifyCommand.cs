using System.CommandLine;
using LoraKernels.Verification;

namespace LoraKernels.Cli.Commands.Verify;

/// <summary><c>lorakernels verify</c></summary>
internal sealed class VerifyCommand : CliCommand
{
    private readonly Option<string?> _device = DeviceOption();

    private readonly Option<string> _compute = ComputeOption();

    private readonly Option<bool> _all = new("--all") { Description = "List every case, not a line an op, format and type" };

    private readonly Option<int> _seeds = IntegerOption(
        "--seeds", "N", "Emulated device: run everything under N seeded schedules, both mma roundings in turn", 0, 100_000, 0);

    public VerifyCommand(CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base(
            "verify",
            "Compare every operation on a device with an independent float64 reference.",
            common,
            terminal,
            cancellation)
    {
        Options.Add(_device);
        Options.Add(_compute);
        Options.Add(_all);
        Options.Add(_seeds);
    }

    public override IReadOnlyList<Example> Examples { get; } =
    [
        new("lorakernels verify", "every operation on the best device there is"),
        new("lorakernels verify --device cpu:reference", "the scalar path"),
        new("lorakernels verify --compute int8", "with x in 8 bits, which only the CPU does"),
        new("lorakernels verify --all", "case by case"),
        new("lorakernels verify --device emulated --seeds 10", "the CUDA kernels under ten schedules (builds from source)"),
        new("lorakernels verify --json | jq '.[] | select(.ok | not)'", "what fails, for a script"),
    ];

    protected override int Execute(ParseResult parsed)
    {
        string? name = parsed.GetValue(_device);
        int seeds = parsed.GetValue(_seeds);
        if (seeds > 0 && !IsEmulated(name))
            throw new CommandException("--seeds: only the emulated device has schedules; add --device emulated", ExitCode.Usage);

        List<VerifyRow> rows = [];
        DeviceInfo info;
        ComputeMode compute;
        using (ProgressLine progress = new(Terminal, "Opening the device", Cancellation))
        using (Device device = OpenDevice(name, ComputeOf(parsed, _compute)))
        {
            info = device.Info;
            compute = device.Compute;
            if (seeds == 0)
                rows.AddRange(Run(device, progress, null));
            for (int seed = 1; seed <= seeds; seed++)
            {
                string schedule = $"seed={seed},rounding={(seed % 2 == 0 ? "truncate" : "exact")}";
                EmulatedDevice.Configure(schedule);
                rows.AddRange(Run(device, progress, schedule));
            }
        }

        if (WantsJson(parsed))
            WriteJson<IReadOnlyList<VerifyRow>>(rows, CliJson.Default.IReadOnlyListVerifyRow);
        else
            VerifyView.Write(Terminal.Output, info, compute, rows, parsed.GetValue(_all));
        return rows.Count > 0 && rows.All(static row => row.Ok) ? ExitCode.Ok : ExitCode.Failure;
    }

    private IEnumerable<VerifyRow> Run(Device device, ProgressLine progress, string? schedule) =>
        VerificationSuite.Run(device, new Watch(progress, schedule), null, Cancellation)
            .Select(result => VerifyRow.Of(result) with { Schedule = schedule });

    // Progress<T> would report from another thread, after the line is gone.
    private sealed class Watch(ProgressLine line, string? schedule) : IProgress<VerificationProgress>
    {
        private readonly string _ending = schedule is null ? "" : $" ({schedule})";

        public void Report(VerificationProgress value) => line.Report(
            $"Verifying {value.Last.Op} {value.Last.Format} {value.Last.DType}{_ending}",
            (double)value.Done / value.Total);
    }
}
