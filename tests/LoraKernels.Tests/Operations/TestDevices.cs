namespace LoraKernels.Tests.Operations;

/// <summary>Every backend of this machine, opened once; named as <see cref="Device.Open(string)"/> takes them.</summary>
internal static class TestDevices
{
    private static readonly Dictionary<string, Lazy<Device>> Opened =
        Names.ToDictionary(name => name, name => new Lazy<Device>(() => Device.Open(name)));

    public static IReadOnlyList<string> Names =>
        ["cpu:reference", "cpu:portable", .. Device.Enumerate(DeviceKind.Cuda).Select(info => $"cuda:{info.Index}")];

    public static Device Get(string name) => Opened[name].Value;
}
