namespace LoraKernels.Cli.Commands.Info;

/// <summary>What <c>info --json</c> prints.</summary>
/// <param name="Tool">Version of this tool.</param>
/// <param name="Library">The native library, or null when none could be loaded.</param>
/// <param name="LibraryError">Why none could be loaded.</param>
internal sealed record InfoReport(
    string Tool,
    string Runtime,
    string System,
    InfoLibrary? Library,
    string? LibraryError,
    InfoCpu? Cpu,
    InfoCuda? Cuda);

internal sealed record InfoLibrary(string Path, string Version, int AbiVersion, string BuildInfo);

/// <param name="Isa">The instruction set path that operations take.</param>
/// <param name="ComputeModes">How x · Wᵀ can be computed, the usual way first.</param>
/// <param name="Override">Value of LORAKERNELS_CPU, null if it is not set.</param>
/// <param name="Processors">Logical processors that this process may use.</param>
/// <param name="Threads">Threads that operations use.</param>
internal sealed record InfoCpu(
    string Name, string Isa, IReadOnlyList<string> ComputeModes, string? Override, int Processors, int Threads,
    long MemoryBytes);

/// <param name="WhyNot">What is missing where there is no device.</param>
internal sealed record InfoCuda(IReadOnlyList<InfoGpu> Devices, string? WhyNot);

internal sealed record InfoGpu(int Index, string Name, string Architecture, int Multiprocessors, long MemoryBytes);
