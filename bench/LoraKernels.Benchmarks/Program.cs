using BenchmarkDotNet.Running;
using LoraKernels.Benchmarks;

return BenchmarkSwitcher.FromAssembly(typeof(BenchmarkConfig).Assembly)
    .Run(args, new BenchmarkConfig())
    .Any(static summary => summary.HasCriticalValidationErrors || summary.Reports.Any(static report => !report.Success))
        ? 1
        : 0;
