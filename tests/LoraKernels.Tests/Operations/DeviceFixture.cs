namespace LoraKernels.Tests.Operations;

/// <summary>Tests that run on one backend after the other: with <see cref="TestDevices.Names"/> as their source.</summary>
public abstract class DeviceFixture(string deviceName, bool batchInvariant = false) : IDisposable
{
    protected Device Device { get; } = Device.Open(deviceName, batchInvariant);

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing) => Device.Dispose();
}
