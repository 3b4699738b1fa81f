namespace LoraKernels;

/// <summary>A device, in words and figures.</summary>
/// <param name="Kind">What computes.</param>
/// <param name="Index">Which one of its kind, from 0.</param>
/// <param name="Name">The maker's name of it.</param>
/// <param name="Isa">
/// The code path: for a CPU "portable" and the like (of an open <see cref="Device"/> the one it takes, else the one
/// that <see cref="CpuIsa.Auto"/> takes); for CUDA the architecture, such as "sm_90".
/// </param>
/// <param name="ComputeUnits">CPU: logical processors that this process may use. CUDA: multiprocessors.</param>
/// <param name="MemoryBytes">Total memory of the device, in bytes.</param>
public sealed record DeviceInfo(
    DeviceKind Kind, int Index, string Name, string Isa, int ComputeUnits, long MemoryBytes);
