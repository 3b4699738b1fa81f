namespace LoraKernels.Tests.Operations;

/// <summary>Tests that run on one backend after the other: with <see cref="TestDevices.Names"/> as their source.</summary>
public abstract class DeviceFixture(string deviceName, bool batchInvariant = false) : IDisposable
{
    /// <summary>Behind a device's name: opened with <see cref="ComputeMode.Int8Activations"/>.</summary>
    internal const string InInt8 = " in int8";

    protected Device Device { get; } = deviceName.EndsWith(InInt8, StringComparison.Ordinal)
        ? Device.Open(deviceName[..^InInt8.Length], batchInvariant, ComputeMode.Int8Activations)
        : Device.Open(deviceName, batchInvariant);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => Device.Dispose();
}
