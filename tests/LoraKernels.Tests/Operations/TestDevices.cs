namespace LoraKernels.Tests.Operations;

/// <summary>Every backend of this machine, named as <see cref="Device.Open(string, bool, ComputeMode)"/> takes them.</summary>
internal static class TestDevices
{
    public static IReadOnlyList<string> Names =>
    [
        .. Device.CpuPaths.Select(path => $"cpu:{path.ToString().ToLowerInvariant()}"),
        .. Device.Enumerate(DeviceKind.Cuda).Select(info => $"cuda:{info.Index}"),
    ];

    /// <summary>The same, and the fastest CPU path in int8, for what holds in every mode.</summary>
    public static IReadOnlyList<string> NamesAndModes =>
        [.. Names, $"cpu:{Device.CpuPaths[^1].ToString().ToLowerInvariant()}{DeviceFixture.InInt8}"];
}
