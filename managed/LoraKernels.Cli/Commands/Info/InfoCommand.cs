using System.CommandLine;
using System.Runtime.InteropServices;
using LoraKernels.Cli.Views;

namespace LoraKernels.Cli.Commands.Info;

/// <summary><c>lorakernels info</c></summary>
internal sealed class InfoCommand : CliCommand
{
    private const string CpuVariable = "LORAKERNELS_CPU";

    public InfoCommand(CommonOptions common, Terminal terminal, CancellationToken cancellation)
        : base("info", "Show the devices, the native library, and what is missing.", common, terminal, cancellation)
    {
    }

    public override IReadOnlyList<Example> Examples { get; } =
    [
        new("lorakernels info", "devices, library, versions"),
        new("lorakernels info --json", "the same for a script or a bug report"),
        new("LORAKERNELS_CPU=reference lorakernels info", "see which path a setting chooses"),
    ];

    protected override int Execute(ParseResult parsed)
    {
        InfoReport report = Gather();
        if (WantsJson(parsed))
            WriteJson(report, CliJson.Default.InfoReport);
        else
            WriteText(report);

        if (report.LibraryError is not null)
            Terminal.ReportError(report.LibraryError);
        return report.Library is null ? ExitCode.Failure : ExitCode.Ok;
    }

    private static InfoReport Gather()
    {
        InfoReport report = new(
            CliApplication.Version,
            RuntimeInformation.FrameworkDescription,
            $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}",
            null,
            null,
            null,
            null);
        try
        {
            return report with
            {
                Library = new InfoLibrary(
                    LoraKernelsLibrary.Path,
                    LoraKernelsLibrary.Version,
                    LoraKernelsLibrary.AbiVersion,
                    LoraKernelsLibrary.BuildInfo),
                Cpu = GatherCpu(),
                Cuda = GatherCuda(),
            };
        }
        catch (NativeLibraryException missing)
        {
            return report with { LibraryError = missing.Message };
        }
    }

    private static InfoCpu GatherCpu()
    {
        // An open device, unlike a description, refuses a LORAKERNELS_CPU that names no path.
        using Device cpu = Device.OpenCpu();
        string? chosen = Environment.GetEnvironmentVariable(CpuVariable);
        return new InfoCpu(
            cpu.Info.Name,
            cpu.Info.Isa,
            ComputeModes,
            string.IsNullOrEmpty(chosen) ? null : chosen,
            cpu.Info.ComputeUnits,
            Device.CpuThreadCount,
            cpu.Info.MemoryBytes);
    }

    private static InfoCuda GatherCuda()
    {
        InfoGpu[] devices = [.. Device.Enumerate(DeviceKind.Cuda).Select(static gpu =>
            new InfoGpu(gpu.Index, gpu.Name, gpu.Isa, gpu.ComputeUnits, gpu.MemoryBytes))];
        if (devices.Length > 0)
            return new InfoCuda(devices, null);
        Device.TryDescribe(DeviceKind.Cuda, 0, out _, out string? whyNot);
        return new InfoCuda(devices, whyNot);
    }

    private void WriteText(InfoReport report)
    {
        Facts.Title(Terminal.Output, $"LoraKernels {report.Tool}", "4-bit base weights and many LoRA adapters in one batch");
        Facts facts = new();
        if (report.Cpu is { } cpu)
        {
            string choice = cpu.Override is null ? $"{CpuVariable} is not set" : $"{CpuVariable}={cpu.Override}";
            facts.Add("CPU", cpu.Name);
            facts.Add("", $"{Units.Count(cpu.Processors, "processor")}, {Units.Count(cpu.Threads, "thread")}, {Units.Bytes(cpu.MemoryBytes)}");
            facts.Add("", $"{cpu.Isa} kernels ({choice})");
            facts.Add("", $"computes {string.Join(" or ", cpu.ComputeModes)}");
        }
        if (report.Cuda is { } cuda)
        {
            foreach (InfoGpu gpu in cuda.Devices)
            {
                facts.Add($"CUDA {gpu.Index}", gpu.Name);
                facts.Add("", $"{gpu.Architecture}, {gpu.Multiprocessors} multiprocessors, {Units.Bytes(gpu.MemoryBytes)}");
            }
            if (cuda.WhyNot is not null)
                facts.Add("CUDA", $"not available: {cuda.WhyNot}");
        }
        if (report.Library is { } library)
        {
            facts.Add("Library", $"{library.Version}, ABI {library.AbiVersion}");
            facts.Add("", library.Path);
            facts.Add("Build", library.BuildInfo);
        }
        facts.Add("Runtime", report.Runtime);
        facts.Add("System", report.System);
        facts.Write(Terminal.Output);
    }
}
