namespace LoraKernels.Tests.Operations;

/// <summary>Every backend of this machine, named as <see cref="Device.Open(string, bool)"/> takes them.</summary>
internal static class TestDevices
{
    public static IReadOnlyList<string> Names =>
    [
        .. Device.CpuPaths.Select(path => $"cpu:{path.ToString().ToLowerInvariant()}"),
        .. Device.Enumerate(DeviceKind.Cuda).Select(info => $"cuda:{info.Index}"),
    ];
}
