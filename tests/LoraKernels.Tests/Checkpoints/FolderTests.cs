using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Tests with a folder of their own each.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public abstract class FolderTests : IDisposable
{
    private protected TempFolder Folder { get; } = new();

    public void Dispose()
    {
        Folder.Dispose();
        GC.SuppressFinalize(this);
    }
}
