using LoraKernels.Checkpoints;
using NUnit.Framework;

namespace LoraKernels.Tests.Checkpoints;

/// <summary>Loads from a disk whose reads do not return.</summary>
public sealed class StallTests : FolderTests
{
    private const int Layers = 6;

    /// <summary>Only a test that fails waits that long.</summary>
    private static readonly TimeSpan Never = TimeSpan.FromMinutes(2);

    private string ModelPath => Folder.Combine("model.safetensors");

    [Test]
    public async Task ACancelledLoadEndsThoughAReadDoesNot()
    {
        using var device = Device.Open("cpu:portable");
        var (source, checkpoint) = Open(".1.qweight");
        using var cancellation = new CancellationTokenSource();
        long before = LoraKernelsLibrary.LiveHandles;
        var load = checkpoint.LoadAllAsync(device, new LoadOptions { MaxParallelism = 2 }, cancellation.Token);
        source.WaitUntilReached();
        await cancellation.CancelAsync();
        var error = Assert.ThrowsAsync<OperationCanceledException>(() => load.WaitAsync(Never))!;
        Assert.That(error.CancellationToken, Is.EqualTo(cancellation.Token));
        Assert.That(load.IsCanceled);
        CheckThatNothingIsLeft(source, checkpoint, before);
    }

    [Test]
    public void AReadThatStallsIsNamed()
    {
        using var device = Device.Open("cpu:portable");
        var (source, checkpoint) = Open(".2.scales");
        long before = LoraKernelsLibrary.LiveHandles;
        var load = checkpoint.LoadAllAsync(
            device, new LoadOptions { MaxParallelism = 2, StallTimeout = TimeSpan.FromMilliseconds(30) });
        var error = Assert.ThrowsAsync<CheckpointException>(() => load.WaitAsync(Never))!;
        var tensor = source.Find("model.layers.2.scales")!;
        Assert.That((error.File, error.Tensor), Is.EqualTo((ModelPath, tensor.Name)));
        Assert.That(error.Reason, Does.Contain($"{tensor.Bytes} bytes from byte {tensor.Offset}").And.Contain("allows 0.03 s")
            .And.Match(@"has not returned for \d+(\.\d)? s"));
        CheckThatNothingIsLeft(source, checkpoint, before);
    }

    [Test]
    public async Task AReadThatReturnsInTimeIsNoStall()
    {
        using var device = Device.Open("cpu:portable");
        var (source, checkpoint) = Open(".2.scales");
        using (checkpoint)
        {
            var load = checkpoint.LoadAllAsync(device, new LoadOptions { StallTimeout = Never });
            source.WaitUntilReached();
            source.Open();
            using var weights = await load;
            Assert.That(weights, Has.Count.EqualTo(Layers));
        }
    }

    [Test]
    public void RefusesALimitOfNothing()
    {
        using var device = Device.Open("cpu:portable");
        var (_, checkpoint) = Open(".0.scales");
        using (checkpoint)
        {
            Assert.That(() => checkpoint.LoadAllAsync(device, new LoadOptions { StallTimeout = TimeSpan.Zero }),
                Throws.InstanceOf<ArgumentOutOfRangeException>());
        }
    }

    // While the read still waits all weights are freed; when it has returned the file is closed, too.
    private void CheckThatNothingIsLeft(GatedSource source, Checkpoint checkpoint, long before)
    {
        Assert.That(source.Waiting, Is.EqualTo(1), "the read still waits");
        WaitUntil(() => LoraKernelsLibrary.LiveHandles == before);
        checkpoint.Dispose();
        source.Open();
        WaitUntil(() => source.Waiting == 0 && OpenFiles() == 0 && LoraKernelsLibrary.LiveHandles == before);
    }

    private int OpenFiles() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count(fd =>
        new FileInfo(fd).LinkTarget?.StartsWith(Folder.Path, StringComparison.Ordinal) == true);

    private static void WaitUntil(Func<bool> condition) =>
        Assert.That(SpinWait.SpinUntil(condition, Never), "what was left was not freed");

    private (GatedSource Source, Checkpoint Checkpoint) Open(string tensor)
    {
        SafetensorsWriter.Write(ModelPath, Enumerable.Range(0, Layers).SelectMany(layer => (SafetensorsEntry[])
        [
            new($"model.layers.{layer}.qweight", TensorType.I32, [16, 32], new byte[2048]),
            new($"model.layers.{layer}.qzeros", TensorType.I32, [2, 4], new byte[32]),
            new($"model.layers.{layer}.scales", TensorType.F16, [2, 32], new byte[128]),
        ]));
        var source = new GatedSource(SafetensorsSource.Open(ModelPath), "model.layers" + tensor);
        return (source, new Checkpoint(source, null));
    }
}
