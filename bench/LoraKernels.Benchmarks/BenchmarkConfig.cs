using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;

namespace LoraKernels.Benchmarks;

/// <summary>How every benchmark here is run and shown.</summary>
internal sealed class BenchmarkConfig : ManualConfig
{
    public BenchmarkConfig()
    {
        AddLogger(ConsoleLogger.Default);
        AddExporter(MarkdownExporter.GitHub);
        AddColumnProvider(DefaultColumnProviders.Instance);
        AddColumn(new BandwidthColumn(ofLimit: false), new BandwidthColumn(ofLimit: true));
        AddDiagnoser(MemoryDiagnoser.Default);

        // In this process: the native library is beside it, and was built by the same command.
        AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).AsMutator());
        HideColumns("Toolchain");
        WithOptions(ConfigOptions.StopOnFirstError);
    }
}
